"""What a bundle's own test split gave, to hold against what the service is asked."""

from pydantic import BaseModel, Field

from app.model.manifest import Manifest


class Reference(BaseModel):
    """Shares of the test split, and its mean confidence."""

    pictures: int = Field(description="How many there are in the test split.")
    class_share: dict[str, float] = Field(
        examples=[{"Hand": 0.17, "HeadCT": 0.83}], description="Of each class, from 0 to 1."
    )
    accepted: float | None = Field(
        description="Share that is, from 0 to 1; null where the bundle cannot tell strangers."
    )
    confidence: float | None = Field(
        description="Its mean, from 0 to 1; null where the bundle was scored before this was kept."
    )


def reference(manifest: Manifest) -> Reference | None:
    """None where the bundle was never scored."""
    figures = manifest.metrics
    if "test_accuracy" not in figures:
        return None
    counts = {name: figures[key].n for name in manifest.classes if (key := f"test_recall_{name}") in figures}
    pictures = figures["test_accuracy"].n
    accepted, confidence = figures.get("test_accepted"), figures.get("test_confidence")
    return Reference(
        pictures=pictures,
        class_share={name: count / pictures for name, count in counts.items()},
        accepted=accepted.value if accepted else None,
        confidence=confidence.value if confidence else None,
    )
