import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from okulo.curate.audit_probe import fit_probe, landmark_features, make_folds, out_of_fold, prepare, vote
from okulo.curate.label_issues import doubt
from okulo.curate.outliers import Neighbours, find_neighbours, find_outliers, outlier_score

from .labelled import digits


@given(seed=st.integers(0, 10_000), n=st.integers(4, 80), folds=st.integers(2, 5))
@settings(max_examples=50, deadline=None)
def test_folds_are_even_and_never_tear_a_group(seed: int, n: int, folds: int) -> None:
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(0, 3, n), rng.integers(-1, n, n)
    fold = make_folds(labels, groups, folds=folds, rng=rng)
    assert set(fold) <= set(range(folds))
    for group in set(groups[groups >= 0]):
        assert len(set(fold[groups == group])) == 1
    alone = make_folds(labels, None, folds=folds, rng=rng)
    for label in range(3):
        counts = np.bincount(alone[labels == label], minlength=folds)
        assert counts.max() - counts.min() <= 1


def test_neighbours_are_those_a_full_comparison_finds() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 8)).astype(np.float32)
    groups = np.where(rng.random(200) < 0.5, rng.integers(0, 40, 200), -1)
    near = find_neighbours(vectors, groups, m=5)
    far = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    far[(groups[:, None] == groups[None]) & (groups[:, None] >= 0)] = np.inf
    np.fill_diagonal(far, np.inf)
    np.testing.assert_allclose(near.distance, np.sort(far, axis=1)[:, :5], rtol=1e-3)


def test_a_row_without_other_rows_has_no_neighbour_and_is_no_outlier() -> None:
    near = find_neighbours(np.zeros((2, 3), np.float32), np.array([0, 0]), m=3)
    assert (near.index == -1).all() and np.isinf(near.distance).all()
    assert outlier_score(near).tolist() == [1.0, 1.0]
    assert vote(near, np.array([0, 1]), np.ones(2), classes=2).tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_votes_by_hand() -> None:
    near = Neighbours(np.array([[1, 2], [0, -1], [0, 1]]), np.float32([[1, 2], [1, np.inf], [2, 2]]))
    said = vote(near, np.array([0, 1, 1]), np.array([1.0, 0.5, 1.0]), classes=2)
    heard = 0.5 * np.exp(-1) + np.exp(-2)  # both neighbours of item 0 say 1; the first is half believed
    prior = 0.5 * np.array([1 / 3, 2 / 3])
    np.testing.assert_allclose(said[0], (np.array([0, heard]) + prior) / (heard + 0.5), rtol=1e-6)


def test_a_stranger_is_an_outlier() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 16)).astype(np.float32)
    vectors[7] += 12
    found = find_outliers(outlier_score(find_neighbours(vectors, m=10)))
    assert np.flatnonzero(found).tolist() == [7]


def test_planted_errors_come_first_and_nobody_judges_himself() -> None:
    images, truth = digits()
    images, truth = images[:600].reshape(600, -1), truth[:600]
    rng = np.random.default_rng(1)
    wrong = np.zeros(600, bool)
    wrong[rng.choice(600, 45, replace=False)] = True
    given_ = np.where(wrong, (truth + rng.integers(1, 10, 600)) % 10, truth)
    say = {"classes": 10, "folds": 5, "rounds": 2}
    answer = out_of_fold(prepare(images), given_, None, rng=np.random.default_rng(0), **say)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)
    assert average_precision_score(wrong, doubt(answer, given_)) > 0.95
    # Pure noise labels: who never saw a label cannot tell it better than chance.
    noise = rng.integers(0, 10, 600)
    answer = out_of_fold(prepare(images), noise, None, rng=np.random.default_rng(0), **say)
    assert abs((answer.argmax(axis=1) == noise).mean() - 0.1) < 0.06


def test_copies_do_not_vouch_for_each_other() -> None:
    """Every item is there twice with the same random label: only through its copy could it be known."""
    rng = np.random.default_rng(2)
    once = rng.normal(size=(150, 8)).astype(np.float32)
    vectors, labels = np.concatenate([once, once]), np.tile(rng.integers(0, 2, 150), 2)
    groups = np.tile(np.arange(150), 2)
    say = {"classes": 2, "folds": 5, "rounds": 1}
    apart = out_of_fold(prepare(vectors), labels, groups, rng=np.random.default_rng(0), **say)
    leaky = out_of_fold(prepare(vectors), labels, None, rng=np.random.default_rng(0), **say)
    assert (leaky.argmax(axis=1) == labels).mean() > 0.7, "the test would show nothing"
    assert (apart.argmax(axis=1) == labels).mean() < 0.65


def test_the_probe_is_the_weighted_ridge_of_scikit_learn() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    features, asked = (rng.normal(size=(n, 6)).astype(np.float32) * 0.3 for n in (80, 20))
    labels, weight = rng.integers(0, 3, 80), rng.uniform(0.1, 1, 80)
    share = np.bincount(labels, weights=weight) / weight.sum()
    peer = Ridge(alpha=0.1, fit_intercept=False).fit(features, np.eye(3)[labels] - share, weight)
    wanted = np.clip(peer.predict(asked) + share, 1e-3, 1)
    got = fit_probe(features, labels, asked, weight, classes=3)
    np.testing.assert_allclose(got, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-4)


def test_a_class_a_fold_never_saw_gets_next_to_nothing() -> None:
    features = np.float32([[0], [1], [2]])
    only = fit_probe(features, np.array([1, 1, 1]), features, classes=3)
    assert (only[:, 1] > 0.99).all()
    assert fit_probe(features, np.array([0, 0, 2]), features, classes=3)[:, 1].max() < 0.01


def test_landmarks_give_back_the_kernel() -> None:
    """With every row a landmark the features' inner products are the Gaussian kernel itself."""
    vectors = prepare(np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32) * 3)
    near = find_neighbours(vectors, m=20)
    features = landmark_features(vectors, near, rng=np.random.default_rng(0))
    variance = 2.0 * float(np.median(near.distance.max(axis=1)))
    far = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(
        features @ features.T, np.exp(-far / (2 * variance)), atol=0.1
    )  # small eigenvalues are left out
