"""Every feature: what it is called, what it says, how it is computed and where that comes from."""

from dataclasses import dataclass

from okulo.core.errors import BadInput


@dataclass(frozen=True)
class Feature:
    """One feature, at its place in the table the kernels write."""

    name: str
    says: str
    formula: str
    unit: str = ""
    step: float = 0.0
    """How finely it can be read: a spread below this is the sampling's, not the mechanism's."""
    high: str = ""
    """What more than usual of it is in plain words."""
    low: str = ""
    source: str = ""
    quality: bool = False
    """Says how good the recording is, not what the mechanism did: it does not count in groups."""


_RIDLER = "Ridler and Calvard 1978"
_BLACKMAN = "Blackman and Tukey 1958"

FEATURES = (
    Feature("length", "number of values", "n", "samples", quality=True),
    Feature("missing", "share of values that are missing or infinite", "missing / n", quality=True),
    Feature("longest_gap", "longest run of missing values", "samples in the run", "samples", quality=True),
    Feature("lowest", "lowest value", "min x", high="higher lowest value", low="dips below zero"),
    Feature("highest", "highest value", "max x", high="higher maximum", low="lower maximum"),
    Feature("energy", "mean square", "Σ x² / n", high="more energy", low="less energy"),
    Feature(
        "roughness",
        "mean step from one value to the next",
        "Σ |xᵢ − xᵢ₋₁| / (n − 1)",
        high="rougher",
        low="smoother",
    ),
    Feature(
        "start",
        "when work begins",
        "first crossing of rest + 0.3 (work − rest), the two means parted by an iterated threshold",
        "samples",
        0.5,
        "starts late",
        "starts early",
        _RIDLER,
    ),
    Feature(
        "idle",
        "rest after work",
        "n − 1 − last crossing",
        "samples",
        0.5,
        "rests longer at the end",
        "works up to the end",
        _RIDLER,
    ),
    Feature(
        "work",
        "end-of-work time: how long work takes",
        "last crossing − first crossing",
        "samples",
        0.5,
        "works longer",
        "ends early",
        _RIDLER,
    ),
    Feature(
        "work_p25",
        "lower quartile at work",
        "25 % quantile of x from start to end of work",
        high="higher lower quartile",
        low="lower lower quartile",
    ),
    Feature(
        "work_p40",
        "level at work",
        "40 % quantile of x from start to end of work",
        high="higher level",
        low="lower level",
    ),
    Feature(
        "work_p75",
        "upper quartile at work",
        "75 % quantile of x from start to end of work",
        high="higher upper quartile",
        low="lower upper quartile",
    ),
    Feature(
        "peak_height",
        "height of the highest peak at work",
        "max x − mean at rest",
        high="higher peak",
        low="lower peak",
    ),
    Feature(
        "peak_rise",
        "how far the peak stands above the level, in levels",
        "(max x − p40) / (p40 − rest)",
        high="peak higher over the plateau",
        low="peak lower over the plateau",
    ),
    Feature(
        "peak_position",
        "when the peak comes, from the start of work",
        "argmax x − start",
        "samples",
        0.5,
        "peak comes late",
        "peak comes early",
    ),
    Feature(
        "peak_width",
        "width of the peak at half its rise",
        "between the crossings of p40 + rise / 2",
        "samples",
        0.2,
        "wider peak",
        "narrower peak",
    ),
    Feature(
        "peak_decay",
        "how fast the peak falls",
        "from the top to p40 + rise / e",
        "samples",
        0.2,
        "peak falls slowly",
        "peak falls fast",
    ),
    Feature(
        "peak_steepness",
        "steepest step up to the peak, in rises",
        "max (xᵢ − xᵢ₋₁) / rise",
        "",
        0.05,
        "rises more abruptly",
        "rises more slowly",
    ),
    Feature(
        "peak_flat",
        "flat top of the peak",
        "values from the top on within 0.02 % of the rise",
        "samples",
        0.1,
        "flat top (clipped)",
        "pointed top",
    ),
    Feature(
        "second_peak",
        "highest value outside the peak, over the level",
        "(max x outside − p40) / (p40 − rest)",
        high="second peak",
        low="no bump beside the peak",
    ),
    Feature(
        "longest_same",
        "longest run of one value, from the start of work",
        "|xᵢ − xᵢ₋₁| ≤ 0.02 % of the level",
        "samples",
        1.0,
        "stuck at one value",
        "no run of one value",
    ),
    Feature(
        "tail",
        "last three values, in levels",
        "(mean of the last 3 − rest) / (p40 − rest)",
        high="does not return to zero",
        low="ends below rest",
    ),
    Feature(
        "plateau_level",
        "mean of the plateau: work without its peaks",
        "mean x − rest",
        high="higher plateau",
        low="lower plateau",
    ),
    Feature(
        "plateau_drift",
        "slope over the whole plateau, in levels",
        "least-squares slope × span / (p40 − rest)",
        high="plateau rises",
        low="plateau falls",
    ),
    Feature(
        "plateau_noise",
        "spread about the plateau's line, in levels",
        "standard deviation of the residuals / (p40 − rest); its square is the variance",
        high="noisy plateau",
        low="quiet plateau",
    ),
    Feature(
        "plateau_jump",
        "largest deviation from the plateau's line, in levels",
        "max |residual| / (p40 − rest)",
        high="jumps on the plateau",
        low="no jump on the plateau",
    ),
    Feature(
        "autocorrelation_1",
        "likeness of neighbours on the plateau",
        "r₁ / r₀ of the residuals",
        high="slow waves on the plateau",
        low="ragged plateau",
    ),
    Feature(
        "autocorrelation_2",
        "likeness two samples apart",
        "r₂ / r₀ of the residuals",
        high="slow waves on the plateau",
        low="plateau swings to and fro",
    ),
    Feature(
        "autocorrelation_low",
        "strongest opposition at lags 2 to 6",
        "min rₖ / r₀, k = 2 … 6",
        high="no oscillation",
        low="oscillates",
    ),
    Feature(
        "crossings",
        "zero-crossings of the residuals",
        "sign changes / (samples − 1)",
        high="residuals change sign often",
        low="residuals rarely change sign",
    ),
    Feature(
        "band_slow",
        "spectral density at a period of 16 samples",
        "Bartlett window, 6 lags, over the variance",
        high="slow waves on the plateau",
        low="no slow waves",
        source=_BLACKMAN,
    ),
    Feature(
        "band_middle",
        "spectral density at a period of 5 samples",
        "Bartlett window, 6 lags, over the variance",
        high="oscillates every few samples",
        low="little between slow and fast",
        source=_BLACKMAN,
    ),
    Feature(
        "band_fast",
        "spectral density at a period of 2.4 samples",
        "Bartlett window, 6 lags, over the variance",
        high="flutters",
        low="no flutter",
        source=_BLACKMAN,
    ),
)
"""In the order of the kernel's columns."""

NAMES = tuple(each.name for each in FEATURES)
BY_NAME = {each.name: each for each in FEATURES}
SHAPE = tuple(each.name for each in FEATURES if not each.quality)
"""Those that groups are made of, by default."""


def pick(wanted: str) -> tuple[str, ...]:
    """Read names with commas between; an empty text is all that groups are made of.

    >>> pick("peak_height,work")
    ('peak_height', 'work')
    >>> pick("peak_hight")
    Traceback (most recent call last):
    okulo.core.errors.BadInput: feature peak_hight: is not known; did you mean 'peak_height'?
    """
    if not wanted.strip():
        return SHAPE
    names = tuple(name.strip() for name in wanted.split(",") if name.strip())
    for name in names:
        if name not in BY_NAME:
            from difflib import get_close_matches

            near = get_close_matches(name, NAMES, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]!r}?" if near else "`okulo series features --explain` lists them"
            raise BadInput(f"feature {name}", "is not known", hint=hint)
    return names
