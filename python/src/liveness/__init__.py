"""Face presentation attack detection: is the face in a picture a living person, or a print, a screen, a mask?

>>> import liveness
>>> pad, faces = liveness.Model("pad.safetensors"), liveness.Model("faces.safetensors")
>>> predictor = liveness.Predictor(pad, detector=faces)
>>> result = predictor.predict(image, color="bgr")  # uint8 (height, width, 3), read in place
>>> print(result.verdict, result.score, *result.reasons.sentences)
"""

from liveness import _core, optimize
from liveness._cache import CacheStatistics, PredictionCache, WorkerPool
from liveness._config import Config, ConfigEntry, Reloaded
from liveness._errors import (
    CancelledError,
    ConfigInvalidError,
    DeviceUnavailableError,
    FileError,
    InternalError,
    InvalidArgumentError,
    InvalidStateError,
    LivenessError,
    ModelInvalidError,
    NotFoundError,
    OutOfMemoryError,
    Status,
    UnsupportedError,
)
from liveness._model import Crop, Model, RoiProcessor, available_isas, convert
from liveness._predictor import Ensemble, EnsembleOptions, FaceDetector, Predictor, PredictorOptions, Profiler
from liveness._resources import Governor, ResourceMonitor, ResourceUsage, Workload
from liveness._types import (
    ABSTAIN,
    Augmentation,
    Backend,
    BatchItem,
    Box,
    Color,
    Decided,
    DetectorOptions,
    Face,
    FaceResult,
    Fusion,
    Isa,
    MemberScore,
    ModelInfo,
    NodeInfo,
    Point,
    Precision,
    Quality,
    QualityLimits,
    Reason,
    Result,
    StepTime,
    TensorInfo,
    Times,
    Verdict,
)

__version__: str = _core.version

__all__ = [
    "ABSTAIN",
    "Augmentation",
    "Backend",
    "BatchItem",
    "Box",
    "CacheStatistics",
    "CancelledError",
    "Color",
    "Config",
    "ConfigEntry",
    "ConfigInvalidError",
    "Crop",
    "Decided",
    "DetectorOptions",
    "DeviceUnavailableError",
    "Ensemble",
    "EnsembleOptions",
    "Face",
    "FaceDetector",
    "FaceResult",
    "FileError",
    "Fusion",
    "Governor",
    "InternalError",
    "InvalidArgumentError",
    "InvalidStateError",
    "Isa",
    "LivenessError",
    "MemberScore",
    "Model",
    "ModelInfo",
    "ModelInvalidError",
    "NodeInfo",
    "NotFoundError",
    "OutOfMemoryError",
    "Point",
    "Precision",
    "PredictionCache",
    "Predictor",
    "PredictorOptions",
    "Profiler",
    "Quality",
    "QualityLimits",
    "Reason",
    "Reloaded",
    "ResourceMonitor",
    "ResourceUsage",
    "Result",
    "RoiProcessor",
    "Status",
    "StepTime",
    "TensorInfo",
    "Times",
    "UnsupportedError",
    "Verdict",
    "WorkerPool",
    "Workload",
    "available_isas",
    "convert",
    "optimize",
]
