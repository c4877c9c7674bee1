"""Parse replies and stages of an operation file."""

from collections.abc import Mapping
from typing import Any

from sandbox.definitions.model import CannedReply, PageButton, PersonPage, Stage, StageEvent
from sandbox.definitions.parsing_errors import parse_error
from sandbox.definitions.yaml_file import Node

_STAGE_KEYS = ("body", "error", "event", "after_s", "next", "page")


def parse_reply(node: Node) -> CannedReply:
    """Return a reply: a ``body`` (status 200) or an ``error``."""
    parts = node.entries(("body", "error"))
    if len(parts) != 1:
        raise node.bad("write either body or error")
    if "error" in parts:
        error = parse_error(parts["error"])
        return CannedReply(error.status, error=error)
    parts["body"].entries()
    return CannedReply(200, parts["body"].value)


def parse_stages(node: Node) -> dict[str, Stage]:
    """Return the stages by name, the first one first."""
    stages = {name: _stage(name, each) for name, each in node.entries().items()}
    for name, stage in stages.items():
        following = {each.stage for each in stage.page.buttons.values()} if stage.page else set()
        following |= {stage.next} if stage.next else set()
        for unknown in sorted(following - stages.keys()):
            raise node.child(name, None).bad(
                f"no stage is called {unknown}; write one of {', '.join(stages)}"
            )
    return stages


def _stage(name: str, node: Node) -> Stage:
    parts = node.entries(_STAGE_KEYS)
    inner = {key: each.value for key, each in parts.items() if key in ("body", "error")}
    if "next" in parts and "after_s" not in parts:
        raise node.bad("next needs after_s: write when that stage begins")
    return Stage(
        name,
        parse_reply(Node(node.file, node.place, inner)),
        _event(parts["event"]) if "event" in parts else None,
        parts["after_s"].number() if "after_s" in parts else None,
        parts["next"].text() if "next" in parts else None,
        _page(parts["page"]) if "page" in parts else None,
    )


def _event(node: Node) -> StageEvent:
    parts = node.entries(("type", "version", "data"), required=("type",))
    version = parts["version"].text() if "version" in parts else "v1"
    data: Mapping[str, Any] | None = None
    if "data" in parts:
        data = {key: each.value for key, each in parts["data"].entries().items()}
    return StageEvent(parts["type"].text(), version, data)


def _page(node: Node) -> PersonPage:
    parts = node.entries(("title", "text", "buttons"), required=("title", "text", "buttons"))
    buttons = {name: _button(each) for name, each in parts["buttons"].entries().items()}
    return PersonPage(parts["title"].text(), parts["text"].text(), buttons)


def _button(node: Node) -> PageButton:
    parts = node.entries(("label", "stage"), required=("label", "stage"))
    return PageButton(parts["label"].text(), parts["stage"].text())
