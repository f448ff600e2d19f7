"""The recipes, complete: nothing that shapes a model is set anywhere else."""

from dataclasses import asdict, dataclass

MEDNIST_URL = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/MedNIST.tar.gz"
MEDNIST_HASH = "md5:0bc7306e7427e00ad1c5526a6677552d"
CREDIT = (
    "Medical MNIST, assembled by Dr. Bradley J. Erickson (Department of Radiology, Mayo Clinic) from TCIA, "
    "the RSNA Bone Age Challenge and the NIH Chest X-ray data set; CC BY-SA 4.0"
)


class DataError(Exception):
    """The data, or the place to write to, is not usable; the message is one plain sentence."""


class Interrupted(Exception):
    """Stopped on request, after a whole epoch."""


@dataclass(frozen=True)
class Preset:
    """One recipe."""

    name: str
    size: int  # side of the model's input, pixels
    batch_size: int
    max_epochs: int
    learning_rate: float
    stop_patience: int  # epochs without a lower validation loss before training stops
    plateau_patience: int  # … before the learning rate falls
    plateau_factor: float
    min_learning_rate: float

    def record(self) -> dict[str, str | int | float]:
        return {key: value for key, value in asdict(self).items() if key != "name"}


# "Disease Classification using Medical MNIST": 32 × 32, seven layers, 157,926 parameters, early stopping,
# learning rate reduced on plateau, checkpointing. The article's listing is lost; the patience settings are ours.
# `python -m training`: about 3 minutes on two cores; see the README for its measured accuracy.
ARTICLE = Preset(
    name="article",
    size=32,
    batch_size=32,
    max_epochs=30,
    learning_rate=1e-3,
    stop_patience=5,
    plateau_patience=2,
    plateau_factor=0.2,
    min_learning_rate=1e-6,
)

PRESETS = {preset.name: preset for preset in (ARTICLE,)}
DEFAULT_PRESET = ARTICLE.name
