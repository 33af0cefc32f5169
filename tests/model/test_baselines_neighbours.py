from __future__ import annotations

import torch

from model.baselines.neighbours import class_means, neighbour_scores


def test_a_class_has_the_distance_of_its_nearest_vector() -> None:
    """Query (0, 0): class 0 at (1, 0) and (3, 0), so -1; class 2 at (0, 2), so -4; 1 has none.

    With two neighbours class 0 has -(1 + 9) / 2 = -5, and class 2 still -4, for it has only one.
    """
    memory = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    classes = torch.tensor([0, 0, 2])
    query = torch.zeros(1, 2)
    one = neighbour_scores(query, memory, classes, 3)
    assert one.tolist() == [[-1.0, float("-inf"), -4.0]]
    two = neighbour_scores(query, memory, classes, 3, nearest=2)
    assert two.tolist() == [[-5.0, float("-inf"), -4.0]]


def test_a_prototype_is_the_mean_of_its_class() -> None:
    """Class 1: ((0, 0) + (2, 4)) / 2 = (1, 2); class 3: (5, 5). A query at (1, 0) is 4 away from
    the first, 16 + 25 = 41 from the second."""
    vectors = torch.tensor([[0.0, 0.0], [5.0, 5.0], [2.0, 4.0]])
    means, classes = class_means(vectors, torch.tensor([1, 3, 1]))
    assert means.tolist() == [[1.0, 2.0], [5.0, 5.0]]
    assert classes.tolist() == [1, 3]
    scores = neighbour_scores(torch.tensor([[1.0, 0.0]]), means, classes, 4)
    assert scores.tolist() == [[float("-inf"), -4.0, float("-inf"), -41.0]]
