"""The models that tests run on."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.questions import Question


@dataclass(frozen=True)
class SavedModels:
    """Exported models, and what TensorFlow's own Session.run answers on them."""

    folder: Path
    expected: dict[str, list[Question]]

    def base_path(self, model: str) -> Path:
        return self.folder / model

    def version(self, model: str, number: int = 1) -> Path:
        return self.folder / model / str(number)
