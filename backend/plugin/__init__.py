"""For users of label-studio-ml: their base class and their start command, answered by our code."""
