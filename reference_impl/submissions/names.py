"""Names of models in a body become names on the shelf, or a refusal that says what there is."""

from __future__ import annotations

from pathlib import Path

from openapi.document import Reading
from openapi.problems import perhaps, show
from reference_impl.shelf import Family, Kind, Model, Shelf
from reference_impl.submissions.refusals import Fault, Refused

_DOCUMENTED_REFINER = "sd_xl_refiner_1.0.safetensors"
_WORDS = {Kind.CHECKPOINT: "checkpoint", Kind.VAE: "VAE", Kind.LORA: "LoRA", Kind.EMBEDDING: "embedding"}


def name_in_api(model: Model) -> str:
    """The name that the pages ask for in requests: without ending for LoRA models and embeddings (C27)."""
    stays = model.kind not in (Kind.LORA, Kind.EMBEDDING) or model.path.is_dir()
    return model.name if stays else Path(model.name).stem


class Names:
    """The names that a body may use.

    Args:
        shelf: what models there are.
        reading: the documented one takes a model by the documented one of its names alone (C27).
    """

    def __init__(self, shelf: Shelf, reading: Reading) -> None:
        self._shelf = shelf
        self._reading = reading

    def checkpoint(self, name: str, field: str) -> Model:
        """The checkpoint to draw with.

        Raises:
            Refused: there is none of this name, or it draws nothing by itself.
        """
        model = self._find(Kind.CHECKPOINT, name, field)
        if model.refiner:
            message = f"{model.name} only refines what another checkpoint has begun; name that one here"
            raise Refused(Fault.MODEL, field, message)
        return model

    def vae(self, name: str | None, field: str) -> str | None:
        """The VAE by its name on the shelf; None for the checkpoint's own.

        Raises:
            Refused: there is none of this name.
        """
        return self._find(Kind.VAE, name, field).name if name else None

    def lora(self, name: str, field: str) -> str:
        """A LoRA by its name on the shelf.

        Raises:
            Refused: there is none of this name.
        """
        return self._find(Kind.LORA, name, field).name

    def tagged_lora(self, name: str) -> str | None:
        """A LoRA that a tag in a prompt names, by its name on the shelf; None where there is none.

        Either of its names will do in both readings: one page writes tags with `sd_name`, the other asks for the other.
        """
        model = self._shelf.find(Kind.LORA, name)
        return model.name if model else None

    def embedding(self, name: str, field: str) -> str:
        """An embedding by its name on the shelf.

        Raises:
            Refused: there is none of this name.
        """
        return self._find(Kind.EMBEDDING, name, field).name

    def embeddings(self) -> dict[str, str]:
        """Every embedding: the word that stands for it in a prompt, and its name on the shelf."""
        return {name_in_api(model): model.name for model in self._shelf.of(Kind.EMBEDDING)}

    def refiner(self, name: str = _DOCUMENTED_REFINER) -> str:
        """The refiner: the one of this name, or else the first that there is.

        v3 names none, and v2 knows a single name, so it stands for "the refiner". Where there is none the name stays
        as it is, and the engine says what is missing: the request itself is as documented.
        """
        model = self._shelf.find(Kind.CHECKPOINT, name)
        refiners = [model] if model else [one for one in self._shelf.of(Kind.CHECKPOINT) if one.refiner]
        return refiners[0].name if refiners else name

    def of_a_list(self, kinds: tuple[Kind, ...], name: str) -> str:
        """A name that the document lists letter by letter, such as a control model: by its name on the shelf.

        Requests may name all of the list; without the weights the engine says what is missing.
        """
        found = (self._shelf.find(kind, name) for kind in kinds)
        return next((model.name for model in found if model), name)

    def _find(self, kind: Kind, name: str, field: str) -> Model:
        model = self._shelf.find(kind, name)
        if model is None:
            known = [name_in_api(one) for one in self._shelf.of(kind)]
            listed = "GET /v3/model lists those that there are"
            raise Refused(
                Fault.MODEL, field, f"no {_WORDS[kind]} has the name {show(name)}{perhaps(name, known)}; {listed}"
            )
        documented = name_in_api(model)
        if self._reading is Reading.DOCUMENTED and name in (model.name, Path(model.name).stem) and name != documented:
            message = f"the documented name of this {_WORDS[kind]} is {show(documented)}, got {show(name)} (C27)"
            raise Refused(Fault.MODEL, field, message)
        return model


def fits(family: Family | None, wanted: Family) -> bool:
    """Whether a checkpoint may be of the family that something was made for; what is not known may."""
    return family is None or family is wanted
