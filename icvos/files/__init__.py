"""Files in and out: pictures, masks, frames, JSON, and what strangers send."""
