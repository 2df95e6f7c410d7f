"""Who takes part: what trains it, in which environment, by which settings."""

from dataclasses import dataclass, field

STEPS = "Training budget: 400 epochs, batches of 2, nothing tuned"
FROM_STUDY = f"{STEPS}; settings of the study kcl-dft-laptop"


@dataclass(frozen=True)
class Contestant:
    """One way from labelled frames to forces."""

    name: str
    """In tables and figures"""
    module: str
    """Of this package, imported in its environment: ``train(frames, validation, folder, seed, options)``,
    ``calculator(folder)`` (ASE), ``steps(folder, atoms)``, which returns a function that runs so many
    steps of MD, ``PACKAGES``, whose versions decide the numbers, and maybe ``warm(frames, validation,
    options)``, called before the training is timed"""
    environment: str
    """Name in ``ENVIRONMENTS``"""
    options: dict = field(default_factory=dict)
    trained: bool = True
    """Whether there is something to train; what there is not has size 0 and seed 0"""
    budget: str = ""
    """In words, for the table's readers"""


ENVIRONMENTS = {
    "minset": ".venv",
    "chgnet": ".venv-chgnet",
    "mace": ".venv-peers-mace",
    "deepmd": ".venv-peers-deepmd",
}
CONTESTANTS = {
    "schnet-charges": Contestant(
        "minset SchNet on charges", "of_minset", "minset", {"model": "charges"}, budget=FROM_STUDY
    ),
    "schnet-bare": Contestant(
        "minset SchNet", "of_minset", "minset", {"model": "bare"}, budget=FROM_STUDY
    ),
    "acsf": Contestant(
        "minset acsf",
        "of_minset",
        "minset",
        {"kind": "acsf", "training": {"batch_size": 2, "max_epochs": 400}},
        budget=f"{STEPS}; minset's defaults otherwise",
    ),
    "gap": Contestant(
        "GAP", "of_minset", "minset", {"kind": "gap"}, budget="minset's defaults, nothing tuned"
    ),
    "chgnet-zero-shot": Contestant(
        "CHGNet zero-shot", "of_chgnet", "chgnet", trained=False, budget="as it comes, not trained"
    ),
    "chgnet-fine-tuned": Contestant(
        "CHGNet fine-tuned",
        "of_chgnet",
        "chgnet",
        {"visits": 960, "batch_size": 4, "learning_rate": 1e-3},
        budget="all weights by CHGNet's own trainer with its defaults (Adam, 0.001 falling by its "
        "cosine, weights of the loss 1, 1, 0.1), batches of 4, as many epochs as make 960 visits of "
        "a frame; reference energies moved to the labels' before",
    ),
    "mace-small": Contestant(
        "MACE, 32 channels",
        "of_mace",
        "mace",
        {"steps": 800, "batch_size": 4, "num_channels": 32, "max_L": 0, "r_max": 5.0},
        budget="Training budget: 800 steps with batches of 4; `mace_run_train` with 32x0e features, "
        "5 A, float32, EMA, amsgrad, a second stage in the last quarter, its defaults otherwise; "
        "nothing tuned",
    ),
    "deepmd": Contestant(
        "DeePMD",
        "of_deepmd",
        "deepmd",
        {
            "steps": 10000,
            "rcut": 6.0,
            "rcut_smth": 0.5,
            "sel": [20, 20],
            "fitting": [120, 120, 120],
        },
        budget="Training budget: 10000 steps, one frame each, five minutes of a core; `dp --tf train` "
        "as in its example of water (`se_e2_a`, 6 A, float64, no virials) but for layers of 120, not "
        "240, and a learning rate that ends at 1e-5, as 3.5e-8 is too soon too low; compressed by "
        "`dp compress`. Of 0.5 and 2.0 A, where the cutoff's smoothing starts, that with the lower "
        "error on the validation frames; nothing else tuned",
    ),
}
