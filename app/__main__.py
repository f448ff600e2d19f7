"""bodyregion, or python -m app: the commands, and a service that leaves when told from its first moment."""

import os
import signal
import sys

from app.serving import terminal
from app.serving.signals import INTERRUPTED, leave_when_told


def main() -> None:
    try:
        if sys.argv[1:2] == ["serve"]:
            leave_when_told()  # before the imports, which take half a second: as process 1 it would overhear a SIGTERM
            if terminal.is_read(os.environ.get(terminal.FORMAT_VARIABLE, terminal.AUTO).lower(), terminal.STDERR):
                terminal.say("loading …")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # which ./bodyregion holds back until here
        from app import commands
    except KeyboardInterrupt:  # of another command, whose own way with it is not there yet
        sys.exit(INTERRUPTED)
    commands.main()


if __name__ == "__main__":
    main()
