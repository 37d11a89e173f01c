"""Clusters of features in the place of classes: k-means, and E's last layer that finds them."""

import numpy as np

CONFIDENCE = 0.95  # E's mean probability of the cluster that it names
MOST_ROWS = 5000  # that it is measured on
VISIBLE = 0.5  # share of a cluster's images above which a class is visible in it


def k_means(features: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Returns the centroids float64 `[count, D]` of k-means (Lloyd, 1982; scikit-learn's).

    Args:
        features: `[N, D]`, N at least `count`.
        count: Number of clusters.
        seed: Of the first centroids, by k-means++; the best of four attempts is taken.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # threads would add up in an order of their own
        found = KMeans(count, n_init=4, random_state=seed).fit(np.asarray(features, np.float64))
    return found.cluster_centers_


def nearest_centroid(features: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns kernel `[D, K]` and bias `[K]` of a linear layer whose largest output is the nearest.

    `l_k = s (h . c_k - |c_k|^2 / 2)` is `-s |h - c_k|^2 / 2` but for what all k share: the
    log-posterior of a mixture of Gaussians of variance 1/s. s is such that the largest probability
    is `CONFIDENCE` in the mean, as of a classifier that was trained.

    Args:
        features: h, `[N, D]`, which s is measured on.
        centroids: c, `[K, D]`.
    """
    from scipy.optimize import brentq
    from scipy.special import softmax

    kernel, bias = centroids.T, -np.square(centroids).sum(1) / 2
    logits = features[:: -(-len(features) // MOST_ROWS)] @ kernel + bias

    def excess(log_s):
        return softmax(np.exp(log_s) * logits, axis=1).max(1).mean() - CONFIDENCE

    low, high = np.log(np.array([1e-6, 1e6]) / logits.std())
    # Where centroids are the same no s is large enough.
    s = np.exp(brentq(excess, low, high) if excess(high) > 0 else high)
    return s * kernel, s * bias


def majorities(clusters: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts the images of each cluster that has any, and those of its most frequent class.

    Args:
        clusters, classes: Integers `[N]`.

    Returns:
        Two integer arrays, `[clusters that have images]`. The sum of the second over that of the
        first is the purity of the clustering.
    """
    from sklearn.metrics.cluster import contingency_matrix

    table = contingency_matrix(clusters, classes)
    return table.sum(1), table.max(1)


def agreement(clusters: np.ndarray, classes: np.ndarray) -> tuple[float, float]:
    """Returns the purity of `majorities`, and the share of clusters in which a class is visible.

    Args:
        clusters, classes: Integers `[N]`.
    """
    images, largest = majorities(clusters, classes)
    return float(largest.sum() / images.sum()), float((largest > VISIBLE * images).mean())
