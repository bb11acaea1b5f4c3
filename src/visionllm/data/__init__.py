"""Files and drawn worlds to samples."""
