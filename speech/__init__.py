"""What every engine of the voice shares: settings, the result record with its times, captions, a picture. No PyTorch."""
