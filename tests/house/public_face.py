"""An import contract: enter another module only by its public face."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PublicFaceContract(Contract):
    """Inside `container`, a module imports only the files named in `faces` of another; composers outside are exempt."""

    type_name = "public_face"
    container = fields.StringField()
    faces = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        container, faces = str(self.container), list(self.faces)  # type: ignore[call-overload]
        inside = f"{container}."
        trespasses: list[tuple[str, str]] = []
        for imported in sorted(graph.find_descendants(container)):
            owner, _, rest = imported.removeprefix(inside).partition(".")
            if not rest or rest.split(".")[0] in faces:
                continue
            trespasses += [
                (importer, imported)
                for importer in sorted(graph.find_modules_that_directly_import(imported))
                if importer.startswith(inside) and not f"{importer}.".startswith(f"{inside}{owner}.")
            ]
        return ContractCheck(kept=not trespasses, metadata={"trespasses": trespasses})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["trespasses"]:
            output.print_error(f"{importer} reaches into {imported}")
