"""`python -m visionllm` is the `visionllm` command."""

from visionllm.cli import main

if __name__ == "__main__":
    main()
