"""The server that tutorials build for BLIP with FastAPI and Redis, faults included.

Rebuilt after the pattern of "Preparing the BLIP Backend for Deployment with Redis Caching and
FastAPI" (PyImageSearch, 2025); MODEL names its checkpoint. The faults are kept on purpose: Redis
and inference block the event loop, the cache key takes no prompt for the prompt "default" and does
not know the model, and every exception is a 500 with its text.
"""

import hashlib
import io
import os

import redis
from fastapi import FastAPI, File, Form, HTTPException, UploadFile
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

MODEL = os.environ["MODEL"]
CACHE_SECONDS = 3600

app = FastAPI()
processor = BlipProcessor.from_pretrained(MODEL)
model = BlipForConditionalGeneration.from_pretrained(MODEL)
store = redis.Redis(host="127.0.0.1", port=int(os.environ.get("REDIS_PORT", "6379")))


@app.post("/caption")
async def caption(
    image: UploadFile = File(...),  # noqa: B008
    prompt: str | None = Form(None),
) -> dict[str, str | bool]:
    try:
        data = await image.read()
        key = f"{hashlib.sha256(data).hexdigest()}:{prompt or 'default'}"
        cached = store.get(key)
        if isinstance(cached, bytes):
            return {"caption": cached.decode(), "cached": True}
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        inputs = processor(picture, prompt, return_tensors="pt")
        output = model.generate(**inputs)
        text = processor.decode(output[0], skip_special_tokens=True)
        store.setex(key, CACHE_SECONDS, text)
        return {"caption": text, "cached": False}
    except Exception as exc:
        raise HTTPException(status_code=500, detail=str(exc)) from exc
