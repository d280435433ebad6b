"""What a model says, as whole numbers; kept apart from the libraries that compute it."""

from dataclasses import dataclass

from crypto_trader_pro.domain.market import Ints


@dataclass(frozen=True, slots=True, eq=False)
class SidePredictions:
    """Predictions of one side, shape (n,). Probabilities: parts of 1e6 that this trade closes with
    a profit after costs. Edges: expected result after costs, thousandths of a basis point.
    """

    probability: Ints
    edge_mbp: Ints
    baseline_probability: Ints  # the logistic regression's
    baseline_edge_mbp: Ints
    break_even: Ints  # probability at which the edge is zero; above 1e6 no probability is enough
    ranks: bool  # False: the probability is the base rate, there is no signal
    baseline_ranks: bool


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    long: SidePredictions
    short: SidePredictions
    novel: Ints  # features outside the training range, of 36
