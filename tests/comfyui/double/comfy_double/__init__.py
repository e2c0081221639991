"""A process that speaks ComfyUI's protocol as the real server was seen to speak it, and misbehaves on demand."""
