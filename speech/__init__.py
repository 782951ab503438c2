"""What every engine of the voice shares: settings, the record of what was said, captions, a picture. No PyTorch."""
