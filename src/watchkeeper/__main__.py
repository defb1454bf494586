"""`python -m watchkeeper` is the command `watchkeeper`."""

from watchkeeper.app.cli import main

if __name__ == "__main__":
    main()
