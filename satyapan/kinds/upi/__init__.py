"""Kinds about UPI addresses (VPA) and the bank accounts behind them."""
