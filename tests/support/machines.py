"""Machines for checks to decide on."""

from pathlib import Path
from typing import Any

from slipway.stack.access import own_account
from slipway.stack.machine import Machine, NginxProgram

INSTALLED = dict.fromkeys(
    ("flask", "gunicorn", "pillow", "prometheus-client", "rjieba", "supervisor"), "1.0"
)
NGINX = NginxProgram(
    Path("/usr/sbin/nginx"), "1.22.1", "--with-http_ssl_module --with-http_v2_module"
)


def make_machine(**values: Any) -> Machine:
    """Return a machine that has everything, and all of its ports free, but for `values`."""
    defaults: dict[str, Any] = {
        "account": own_account(),
        "is_root": False,
        "installed": INSTALLED,
        "runtime": Path("/runtime/libtensorflow_cc.so.2"),
        "runtime_advice": "",
        "nginx": NGINX,
        "nginx_install": "sudo apt-get install -y nginx",
        "bind_error": lambda host, port: None,
        "holders_of": lambda port: [],
        "users_of": lambda port: [],
        "stack_of": lambda pid: None,
    }
    return Machine(**{**defaults, **values})
