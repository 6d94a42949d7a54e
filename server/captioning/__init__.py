"""The torch-free runtime: bytes and prompt -> caption."""

import os

# onnxruntime's wheels report usage to Microsoft unless told before they are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
