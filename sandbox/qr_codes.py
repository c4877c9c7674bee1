"""QR codes as the vendor sends them."""

import base64
import io

import segno


def qr_png(text: str) -> str:
    """Return a QR code of ``text`` as base64 PNG, without a data URI prefix."""
    png = io.BytesIO()
    segno.make(text, micro=False).save(png, kind="png", scale=6)
    return base64.b64encode(png.getvalue()).decode()
