"""The number of images of each class that the scores by class compare."""

from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import View

ORDER = 24
SCORES = {
    "class_images": Description(
        "number of images that fcd_class, precision_class and recall_class take of the class: of "
        "samples as many as of real test images, so that few of them bias both alike",
        per="class",
    )
}


def measure(view: View) -> list[Score]:
    if not view.judge_knows:
        return []
    counts = zip(view.class_names, view.class_images)
    return [Score("class_images", float(count), class_name=name) for name, count in counts]
