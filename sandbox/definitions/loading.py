"""Load the operations of a sandbox: one YAML file each, checked together."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sandbox.definitions.checking import check_operation
from sandbox.definitions.model import Operations, VendorOperation
from sandbox.definitions.parsing import parse_operation
from sandbox.definitions.yaml_file import BadOperationFile, Node, read_yaml

FOLDER = Path(__file__).parents[1] / "operations"
SHARED_FIELDS = FOLDER / "_shared_fields.yaml"


def load_operations(python: Iterable[str], extra: Sequence[Path] = ()) -> Operations:
    """Return the sandbox's own operations and those of the ``extra`` folders.

    ``python`` are the names of the Python answers that files may name.
    """
    shared = read_yaml(SHARED_FIELDS).entries()
    found: dict[str, VendorOperation] = {}
    files: dict[str, Node] = {}
    for path in _files((FOLDER, *extra)):
        node = read_yaml(path)
        operation = parse_operation(node, shared, python)
        _refuse_repeated(operation, node, found)
        found[operation.name] = operation
        files[operation.name] = node
    for name, operation in found.items():
        check_operation(operation, found, files[name])
    return Operations(found)


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        paths = sorted(each for each in folder.glob("*.yaml") if not each.name.startswith("_"))
        if not paths:
            raise BadOperationFile(f"{folder}: no file *.yaml; write the folder's name")
        yield from paths


def _refuse_repeated(
    operation: VendorOperation, node: Node, found: Mapping[str, VendorOperation]
) -> None:
    if operation.name in found:
        raise node.bad(f"another file has the name {operation.name} too; write another name")
    for other in found.values():
        if (other.method, other.path) == (operation.method, operation.path):
            raise node.bad(f"{other.name} has this method and path too; write another path")
