"""Do at import what no module may do; tests/architecture imports this in its own process."""

import os
import socket
import subprocess
import threading

HOME = os.environ.get("HOME")
socket.socket().close()
threading.Thread(target=id, args=(0,)).start()
subprocess.run(["true"], check=True)
