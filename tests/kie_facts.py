"""A handful of models for the tests of the KIE client and stub, in the format of data/models.json."""

import json

PROMPT = {"name": "prompt", "type": "string", "required": True, "max_length": 20}

MODELS = [
    {
        "id": "nano-banana-2",
        "title": "Nano Banana 2",
        "vendor": "Google",
        "generation_type": "text-to-image",
        "modes": ["text-to-image", "image-edit"],
        "output": "image",
        "inputs": [
            PROMPT,
            {"name": "image_input", "type": "image[]", "max_items": 2},
            {"name": "aspect_ratio", "type": "enum", "default": "1:1", "enum": ["1:1", "16:9", "9:16"]},
            {"name": "resolution", "type": "enum", "default": "1K", "enum": ["1K", "4K"]},
            {"name": "output_format", "type": "enum", "default": "jpg", "enum": ["png", "jpg"]},
        ],
        "price": [
            {"when": {"resolution": "1K"}, "credits": 8, "per": "image"},
            {"when": {"resolution": "4K"}, "credits": 18, "per": "image"},
            {"when": {"$extra": "each input image after the first"}, "credits": 0.5, "per": "input image"},
        ],
        "billing": {"quantity": "1"},
    },
    {
        "id": "kling/clip",
        "title": "Clip",
        "vendor": "Kuaishou",
        "generation_type": "text-to-video",
        "output": "video",
        "inputs": [
            PROMPT,
            {"name": "sound", "type": "boolean", "required": True},
            {"name": "duration", "type": "integer", "send_as": "string", "required": True, "min": 3, "max": 15},
            {"name": "first_frame_url", "type": "image"},
            {"name": "reference_video_urls", "type": "video[]"},
            {"name": "aspect_ratio", "type": "enum", "enum": ["16:9", "9:16", "1:1"]},
        ],
        "constraints": {"not_together": [[["first_frame_url"], ["reference_video_urls"]]]},
        "price": [
            {"when": {"sound": True, "reference_video_urls": {"present": False}}, "credits": 20, "per": "second"},
            {"when": {"reference_video_urls": {"present": True}}, "credits": 10, "per": "second"},
            {"when": {"sound": False}, "credits": 14, "per": "second"},
        ],
        "billing": {"quantity": "input:duration", "add_media_seconds": ["reference_video_urls"]},
    },
    {
        "id": "bytedance/seedance-x",
        "generation_type": "image-to-video",
        "output": "video",
        "inputs": [
            {"name": "prompt", "type": "string"},
            {"name": "first_frame_url", "type": "image"},
            {"name": "last_frame_url", "type": "image"},
            {"name": "return_last_frame", "type": "boolean"},
        ],
        "constraints": {
            "any_of": [["prompt"], ["first_frame_url"]],
            "needs": {"last_frame_url": "first_frame_url"},
        },
        "price": [{"when": {}, "credits": "30", "per": "task"}],
    },
    {
        "id": "lips/talk",
        "generation_type": "lip-sync",
        "output": "video",
        "inputs": [
            {"name": "audio_url", "type": "audio", "required": True},
            {"name": "image_url", "type": "image", "required": True},
        ],
        "price": [{"when": {}, "credits": 8, "per": "second"}],
        "billing": {"quantity": "media_seconds:audio_url"},
    },
    {
        "id": "tts/turbo",
        "generation_type": "text-to-speech",
        "output": "audio",
        "inputs": [
            {"name": "text", "type": "string", "required": True, "max_length": 5000},
            {"name": "speed", "type": "number", "min": 0.7, "max": 1.2},
        ],
        "price": [{"when": {}, "credits": 6, "per": "1000 characters"}],
        "billing": {"quantity": "chars:text"},
    },
    {
        "id": "tts/dialogue",
        "generation_type": "text-to-speech",
        "output": "audio",
        "inputs": [
            {"name": "line", "into": "dialogue.0.text", "type": "string", "required": True},
            {"name": "voice", "into": "dialogue.0.voice", "type": "enum", "enum": ["Ann", "Bob"], "default": "Ann"},
        ],
        "price": [{"when": {}, "credits": "14"}],
        "billing": {"quantity": "chars:line"},
    },
    {
        "id": "ai-music-api/generate",
        "generation_type": "text-to-music",
        "output": "audio",
        "inputs": [PROMPT],
        "price": [{"when": {}, "credits": 12, "per": "task"}],
    },
    {
        "id": "ai-music-api/lyrics",
        "generation_type": "lyrics",
        "output": "text",
        "inputs": [PROMPT],
        "price": [{"when": {}, "credits": 0.4, "per": "task"}],
    },
    {
        "id": "grok-imagine/text-to-image",
        "generation_type": "text-to-image",
        "output": "image",
        "inputs": [PROMPT],
        "price": [{"when": {}, "credits": 4, "per": "task"}],
    },
    {
        "id": "many/pictures",
        "generation_type": "text-to-image",
        "output": "image",
        "inputs": [PROMPT, {"name": "num_images", "type": "enum", "enum": ["1", "2"], "default": "1"}],
        "price": [{"when": {}, "credits": 3.5, "per": "image"}],
        "billing": {"quantity": "input:num_images"},
    },
    {
        "id": "recraft/remove-background",
        "generation_type": "background-removal",
        "output": "image",
        "inputs": [{"name": "image", "type": "image", "required": True}],
        "price": [{"when": {}, "credits": 1}],
    },
    {"id": "gone/model", "status": "delisted", "output": "image", "inputs": [], "price": []},
]


def write(folder):
    """Write the models into a file in `folder` and return its path."""
    path = folder / "facts.json"
    path.write_text(json.dumps({"models": MODELS}), encoding="utf-8")
    return path
