"""Clusters of features that replace classes: k-means, and a last layer of E that predicts them."""

import numpy as np

CONFIDENCE = 0.95  # E's mean probability of the cluster that it predicts
MOST_ROWS = 5000  # most rows on which the confidence is measured
VISIBLE = 0.5  # share of a cluster's images above which a class is visible in it


def k_means(features: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Returns the centroids of k-means (Lloyd, 1982), computed by scikit-learn.

    The initial centroids are those of k-means++. The best of four attempts is returned.

    Args:
        features: `np.ndarray` `[N, D]`. Features, with N at least `count`.
        count: Integer. The number of clusters.
        seed: Integer. Seed of the initial centroids. Defaults to 0.

    Returns:
        float64 array `[count, D]`.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # several threads would add up in a varying order
        found = KMeans(count, n_init=4, random_state=seed).fit(np.asarray(features, np.float64))
    return found.cluster_centers_


def nearest_centroid(features: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a linear layer whose largest output belongs to the nearest centroid.

    `l_k = s (h . c_k - |c_k|^2 / 2)` is `-s |h - c_k|^2 / 2` up to a term that all k share. This is
    the log-posterior of a mixture of Gaussians of variance 1/s. s is chosen so that the mean of the
    largest probability is `CONFIDENCE`, as for a trained classifier.

    Args:
        features: `np.ndarray` `[N, D]`. The features h on which s is measured.
        centroids: `np.ndarray` `[K, D]`. The centroids c.

    Returns:
        Tuple of arrays `(kernel, bias)`, `[D, K]` and `[K]`.
    """
    from scipy.optimize import brentq
    from scipy.special import softmax

    kernel, bias = centroids.T, -np.square(centroids).sum(1) / 2
    logits = features[:: -(-len(features) // MOST_ROWS)] @ kernel + bias

    def excess(log_s):
        return softmax(np.exp(log_s) * logits, axis=1).max(1).mean() - CONFIDENCE

    low, high = np.log(np.array([1e-6, 1e6]) / logits.std())
    # If centroids coincide, no s is large enough.
    s = np.exp(brentq(excess, low, high) if excess(high) > 0 else high)
    return s * kernel, s * bias


def majorities(clusters: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts the images of each cluster that has any, and those of its most frequent class.

    The sum of the second array divided by the sum of the first is the purity of the clustering.

    Args:
        clusters: Integer array `[N]`. The cluster of each image.
        classes: Integer array `[N]`. The class of each image.

    Returns:
        Tuple of two integer arrays, with one entry per cluster that has images.
    """
    from sklearn.metrics.cluster import contingency_matrix

    table = contingency_matrix(clusters, classes)
    return table.sum(1), table.max(1)


def agreement(clusters: np.ndarray, classes: np.ndarray) -> tuple[float, float]:
    """Returns the purity of clusters, and the share of clusters in which a class is visible.

    Args:
        clusters: Integer array `[N]`. The cluster of each image.
        classes: Integer array `[N]`. The class of each image.

    Returns:
        Tuple of two floats in [0, 1]. See `majorities` and `VISIBLE`.
    """
    images, largest = majorities(clusters, classes)
    return float(largest.sum() / images.sum()), float((largest > VISIBLE * images).mean())
