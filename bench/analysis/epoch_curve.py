"""Accuracy as a function of the number of epochs: the success rate of a length, and the cost of a success.

The model: the accuracy of a run of E epochs is normal around ``a + b ln(E)``, with one standard deviation between seeds
for all lengths. Near 94 % the slope b is about 1.1 points per e-fold of epochs. Runs of our own are joined by what was
published for the same network and tricks, and by the slope that others measured; each enters with its own uncertainty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.special import chdtri, nctdtrinc, stdtr, stdtrit

from bench.analysis.censored import CONFIDENCE, Interval, median
from bench.errors import UsageError
from bench.record import Record

#: CIFAR-10 counts 10,000 test images, so 94.00 % is everything from half an image below on.
HALF_AN_IMAGE_PERCENT = 0.005
#: Standard deviation, in points, that is allowed between two faithful implementations of one recipe. Three independent
#: ones of page10 gave 94.09 (n 300), 94.10 (n 400) and 94.0995 (n 100); ours of hive lies 0.03 below its authors'.
IMPLEMENTATION_SPREAD_PERCENT = 0.05
#: Beyond so many degrees of freedom the noncentral t is normal to three digits, and its inverse is not stable.
_MANY_DEGREES = 300
#: Nor is it beyond so many standard errors.
_FAR = 30.0


@dataclass(frozen=True)
class Slope:
    """Points of accuracy per e-fold of epochs, known from elsewhere with a standard error."""

    points: float
    standard_error: float


#: KellerJordan/cifar10-zoo @ 50fd7da, ablations: 1.0 with a standard error of 0.2 (19 to 21 epochs, n 100 each) and 1.1
#: with 0.4 (airbench without lookahead, 10.7 to 11.5 epochs); the ladder of cifar10-fast gives 1.2 and more.
SLOPE = Slope(1.1, 0.2)


@dataclass(frozen=True)
class Published:
    """What others published of one length: ``n`` runs with this mean and standard deviation, in percent."""

    recipe: str
    epochs: float
    mean_percent: float
    std_percent: float
    n: int


@dataclass(frozen=True)
class Prediction:
    """What a length gives. ``success`` is the chance that one more run reaches the target, the uncertainty of the fit
    included; ``success_low`` and ``success_high`` are the ends of the 95 % interval of the share that would reach it.
    """

    epochs: float
    mean_percent: float
    mean_low_percent: float
    mean_high_percent: float
    success: float
    success_low: float
    success_high: float


@dataclass(frozen=True)
class Curve:
    """A fitted curve: mean accuracy at ``reference_epochs``, slope, their covariance in squared points, the standard
    deviation between seeds, and the degrees of freedom behind that.
    """

    reference_epochs: float
    mean_percent: float
    slope: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    std_percent: float
    degrees: int

    @property
    def slope_error(self) -> float:
        """Standard error of the slope."""
        return math.sqrt(self.covariance[1][1])

    def predict(self, epochs: float, target_percent: float) -> Prediction:
        """What runs of so many epochs are expected to give."""
        x = math.log(epochs / self.reference_epochs)
        mean = self.mean_percent + self.slope * x
        (aa, ab), (_, bb) = self.covariance
        variance = aa + 2 * x * ab + x * x * bb
        margin = mean - (target_percent - HALF_AN_IMAGE_PERCENT)
        low, high = _share_interval(margin, self.std_percent, math.sqrt(variance), self.degrees)
        half = _t(self.degrees, (1 + CONFIDENCE) / 2) * math.sqrt(variance)
        success = _t_share(self.degrees, margin / math.sqrt(self.std_percent**2 + variance))
        return Prediction(epochs, mean, mean - half, mean + half, success, low, high)


def fit(runs: Iterable[tuple[float, float]], published: Sequence[Published] = (), slope: Slope | None = SLOPE) -> Curve:
    """The curve through ``runs``, pairs of epochs and final accuracy in percent, ``published`` results and a ``slope``
    known from elsewhere (None: the runs' own alone).

    Weighted least squares; the spread between seeds is pooled within each length. Raises UsageError where the spread or
    the slope cannot be known.
    """
    by_length: dict[float, list[float]] = {}
    for epochs, accuracy in runs:
        by_length.setdefault(epochs, []).append(accuracy)
    std, degrees = _pooled_std(by_length.values(), published)
    lengths = {*by_length, *(each.epochs for each in published)}
    if slope is None and len(lengths) < 2:
        raise UsageError("one length has no slope", "give runs of two lengths or more")
    counts = [len(each) for each in by_length.values()] + [each.n for each in published]
    logs = [math.log(each) for each in [*by_length, *(each.epochs for each in published)]]
    reference = math.exp(sum(n * log for n, log in zip(counts, logs, strict=True)) / sum(counts))
    rows = [
        (1.0, math.log(epochs / reference), sum(own) / len(own), std**2 / len(own)) for epochs, own in by_length.items()
    ]
    for each in published:
        variance = std**2 / each.n + IMPLEMENTATION_SPREAD_PERCENT**2
        rows.append((1.0, math.log(each.epochs / reference), each.mean_percent, variance))
    if slope is not None:
        rows.append((0.0, 1.0, slope.points, slope.standard_error**2))
    table = np.array(rows)
    design, values, weights = table[:, :2], table[:, 2], 1 / table[:, 3]
    covariance = np.linalg.inv(design.T * weights @ design)
    mean, slope_points = (covariance @ (design.T * weights @ values)).tolist()
    (aa, ab), (_, bb) = covariance.tolist()
    return Curve(reference, mean, slope_points, ((aa, ab), (ab, bb)), std, degrees)


def _pooled_std(own: Iterable[Sequence[float]], published: Sequence[Published]) -> tuple[float, int]:
    """The standard deviation between seeds of one length, in points, and its degrees of freedom."""
    squares, degrees = 0.0, 0
    for accuracies in own:
        mean = math.fsum(accuracies) / len(accuracies)
        squares += math.fsum((each - mean) ** 2 for each in accuracies)
        degrees += len(accuracies) - 1
    for each in published:
        squares += (each.n - 1) * each.std_percent**2
        degrees += each.n - 1
    if degrees == 0 or squares == 0:
        raise UsageError("the spread between seeds is not known", "give two runs or more of one length, not all equal")
    return math.sqrt(squares / degrees), degrees


def _share_interval(margin: float, std: float, error: float, degrees: int) -> tuple[float, float]:
    """The 95 % interval of the share of a normal population above a limit: the mean lies ``margin`` above the limit
    with a standard ``error``, ``std`` is estimated with ``degrees`` of freedom.

    By inverting the noncentral t distribution (Owen, Technometrics 10, 1968).
    """

    t, tail = margin / error, (1 - CONFIDENCE) / 2
    if degrees > _MANY_DEGREES:
        half = NormalDist().inv_cdf(1 - tail) * math.sqrt(1 + t * t / (2 * degrees))
        ends = (t - half, t + half)
    elif abs(t) > _FAR:  # The mean is known; only the chi distribution of the spread is left.
        factors = [math.sqrt(float(chdtri(degrees, share)) / degrees) for share in (1 - tail, tail)]
        ends = (t * factors[0], t * factors[1]) if t > 0 else (t * factors[1], t * factors[0])
    else:
        ends = (float(nctdtrinc(degrees, 1 - tail, t)), float(nctdtrinc(degrees, tail, t)))
    low, high = (NormalDist().cdf(end * error / std) for end in ends)
    return low, high


def _t(degrees: int, share: float) -> float:

    return float(stdtrit(degrees, share))


def _t_share(degrees: int, t: float) -> float:

    return float(stdtr(degrees, t))


# --- What a length costs ---


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds of runs on one machine, each the median over ``runs``.

    ``start``: what a process needs besides its training (imports, data, compilation, exit); ``attempt``: what every
    attempt needs, also in a process that is warm (building, preprocessing, the final evaluation); ``epoch``: one epoch
    with its evaluation.
    """

    machine: str
    runs: int
    start_seconds: float
    attempt_seconds: float
    epoch_seconds: float

    def to_success(self, epochs: float, success: float, *, new_process: bool) -> float:
        """Expected seconds to the first success where a miss is followed by another attempt, in a ``new_process`` or in
        the one that runs; infinite where no attempt can succeed.
        """
        attempt = self.attempt_seconds + epochs * self.epoch_seconds
        if success <= 0:
            return math.inf
        if new_process:
            return (self.start_seconds + attempt) / success
        return self.start_seconds + attempt / success

    def interval(self, found: Prediction, *, new_process: bool) -> Interval:
        """``to_success`` with the interval that follows from that of the success probability."""
        low, value, high = (
            self.to_success(found.epochs, share, new_process=new_process)
            for share in (found.success_high, found.success, found.success_low)
        )
        return Interval(value, low, high)


_ATTEMPT = frozenset({"build", "preprocess", "final_eval"})
_EPOCH = frozenset({"train_k", "eval_k", "checkpoint_k"})


def costs(records: Iterable[Record]) -> tuple[Cost, ...]:
    """What runs cost on each machine (device, precision, input) that finished some; those of one process each."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.finished_schedule and record.life_ns is not None and (record.runs or 1) == 1:
            device = record.device.get("name") or record.device.get("kind") or "unknown device"
            groups.setdefault(f"{device}, {record.precision}, input {record.input}", []).append(record)
    return tuple(_cost(machine, group) for machine, group in groups.items())


def _cost(machine: str, records: Sequence[Record]) -> Cost:
    starts, attempts, epochs = [], [], []
    for record in records:
        attempt, training = (
            sum(phase.duration_ns for phase in record.phases if phase.name in names) / 1e9
            for names in (_ATTEMPT, _EPOCH)
        )
        assert record.life_ns is not None
        attempts.append(attempt)
        epochs.append(training / max(each.epoch for each in record.epochs))
        starts.append(record.life_ns / 1e9 - attempt - training)
    return Cost(machine, len(records), median(starts), median(attempts), median(epochs))


# --- The choice ---

#: Lengths are tried in quarters of an epoch.
STEP_EPOCHS = 0.25
#: No recipe to 94 % is longer; of longer runs twice their length is searched.
MOST_EPOCHS = 100.0


@dataclass(frozen=True)
class Choice:
    """A length that was chosen, the rule it was chosen by, and the expected seconds to the first success, where the
    rule is of time; ``shortest`` says that it is the first one searched, so that a shorter one may be better.
    """

    rule: str
    prediction: Prediction
    shortest: bool
    machine: str = ""
    seconds: Interval | None = None


def choose(
    curve: Curve, target_percent: float, share: float, from_epochs: float, costs: Sequence[Cost] = ()
) -> tuple[Choice, ...]:
    """The fewest epochs with a predicted success of ``share`` or more and, on each machine, the lengths of the least
    expected time to a success, with retries in a new process and in the same one.

    Searched from ``from_epochs`` on; a rule that no length up to MOST_EPOCHS meets is left out.
    """
    steps = range(math.ceil(from_epochs / STEP_EPOCHS), round(max(MOST_EPOCHS, 2 * from_epochs) / STEP_EPOCHS) + 1)
    tried = [curve.predict(step * STEP_EPOCHS, target_percent) for step in steps]
    enough = next((each for each in tried if each.success >= share), None)
    found = [] if enough is None else [Choice("success", enough, enough is tried[0])]
    for cost in costs:
        for rule, new_process in (("new process", True), ("same process", False)):
            seconds = [cost.to_success(each.epochs, each.success, new_process=new_process) for each in tried]
            best = min(range(len(tried)), key=seconds.__getitem__)
            interval = cost.interval(tried[best], new_process=new_process)
            found.append(Choice(rule, tried[best], best == 0, cost.machine, interval))
    return tuple(found)


def shown(known: Iterable[float], chosen: Iterable[float]) -> tuple[float, ...]:
    """The lengths for a table: those that were run or published, those chosen, and every whole number between."""
    lengths = {*known, *chosen}
    return tuple(
        sorted(lengths | {float(each) for each in range(math.ceil(min(lengths)), math.ceil(max(lengths)) + 1)})
    )
