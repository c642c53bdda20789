"""The configuration of nginx, in front of gateways and model servers.

It takes no module that a distribution leaves out, and no directive that nginx 1.20 does not have.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from slipway.config.project import ProxySection, ProxyTargetSection, host_port
from slipway.errors import Code, ConfigError
from slipway.stack.nginx_problems import (
    grpc_answer,
    grpc_problem_pages,
    problem_map,
    problem_pages,
)
from slipway.stack.nginx_text import block, duration, file_word, joined, lines, word
from slipway.stack.plan import Plan
from slipway.stack.timing import gateway_read_s, nginx_grace_s, rest_read_s, retry_s

_VARIABLE: Final = re.compile(r"<(?:([^:<>(]+)(?:\([^)]*\))?:)?[^<>]+>")
_NOT_REPEATED_BY_NGINX: Final = frozenset({"POST", "PATCH"})
"""Once sent, unless it is told to: it takes other methods for idempotent."""


@dataclass(frozen=True, slots=True)
class ProxiedRoute:
    """What nginx must know of a route of the gateways."""

    path: str
    """With Flask's variables in it."""
    methods: Sequence[str]
    idempotent: bool
    """Whether a request may be sent to a second gateway when it got lost."""


def nginx_config(
    plan: Plan,
    routes: Sequence[ProxiedRoute] = (),
    *,
    user: str | None = None,
    group: str | None = None,
) -> str:
    """Return the configuration; `user` and `group` are the workers', where root starts nginx.

    Routes that are left out are taken for idempotent.

    Raises ConfigError for what nginx cannot be told.
    """
    return (
        joined(
            [
                _head(plan),
                _process(plan, user and f"{word(user)} {word(group or user)}"),
                block("events", "# A request takes two: its caller's, and the upstream's.\n"
                      "worker_connections 4096;"),
                block(
                    "http",
                    _files(),
                    _identities(),
                    _access_log(plan),
                    _limits(plan),
                    _forwarding(plan),
                    problem_map(_max_body_bytes(plan)),
                    _tls(plan),
                    *_upstreams(plan),
                    _http_server(plan, routes),
                    _grpc_server(plan),
                ),
            ]
        )
        + "\n"
    )  # fmt: skip


def _head(plan: Plan) -> str:
    return lines(
        f"""
        # nginx for {plan.file}
        # Written by slipway up, from that file: changes belong there.
        # Paths without a slash at their beginning are in the run folder, which -p names:
        #   nginx -e stderr -p {plan.run} -c {plan.run}/nginx.conf
        """
    )


def _process(plan: Plan, user: str | None) -> str:
    own = (
        f"# Root opens ports and reads the key; requests are answered by this user.\nuser {user};\n"
        if user
        else ""
    )
    return own + lines(
        f"""
        # supervisor keeps the master, and takes its errors from stderr.
        daemon off;
        error_log stderr warn;
        pid nginx.pid;

        worker_processes auto;
        # Two files a connection, and some to spare.
        worker_rlimit_nofile 10240;
        # After a reload or a QUIT, requests under way have as long as they may take; then idle
        # streams of gRPC clients end too.
        worker_shutdown_timeout {nginx_grace_s(plan.project)}s;
        """
    )


def _files() -> str:
    return lines(
        """
        # The defaults of these are folders that only root may write to.
        client_body_temp_path nginx/body;
        proxy_temp_path nginx/proxy;
        fastcgi_temp_path nginx/fastcgi;
        uwsgi_temp_path nginx/uwsgi;
        scgi_temp_path nginx/scgi;
        """
    )


def _identities() -> str:
    return lines(
        """
        # A request keeps the id that it came with, where that can stand in a log, or gets one.
        map $http_x_request_id $request_identity {
            default $request_id;
            "~^[A-Za-z0-9._-]{1,64}$" $http_x_request_id;
        }

        # Callers of this machine, unless they say themselves that they forward for somebody else.
        geo $is_loopback {
            default 0;
            127.0.0.0/8 1;
            ::1/128 1;
        }
        map "$is_loopback$http_forwarded$http_x_forwarded_for$http_x_real_ip" $is_outside {
            default 1;
            "1" 0;
        }
        """
    )


def _access_log(plan: Plan) -> str:
    log = plan.access_log
    path = log.relative_to(plan.run) if log.is_relative_to(plan.run) else log
    return lines(
        f"""
        # What follows the ? is left out: it is what people ask the models about.
        map $request_uri $request_path {{
            default "";
            "~^([^?]*)" $1;
        }}
        log_format slipway escape=json
            '{{"time":"$time_iso8601","id":"$request_identity","client":"$remote_addr",'
            '"method":"$request_method","host":"$http_host","path":"$request_path",'
            '"protocol":"$server_protocol","status":$status,"grpc_status":'
            '"$sent_http_grpc_status$sent_trailer_grpc_status","bytes_in":$request_length,'
            '"bytes_out":$bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr",'
            '"upstream_status":"$upstream_status","upstream_connect":"$upstream_connect_time",'
            '"upstream_seconds":"$upstream_response_time"}}';
        # A write for many lines; the last ones may be a second late.
        access_log {file_word(path, "log_folder")} slipway buffer=32k flush=1s;
        """
    )


def _limits(plan: Plan) -> str:
    proxy = plan.project.proxy
    return lines(
        f"""
        server_tokens off;
        default_type application/octet-stream;

        client_max_body_size {_max_body_bytes(plan)};
        # Most bodies stay in memory; larger ones wait on the disk until they are whole, so that a
        # slow caller holds no thread of the gateway.
        client_body_buffer_size 512k;
        # Gunicorn takes no line longer than 8190 bytes, and nginx counts its end as well.
        client_header_buffer_size 2k;
        large_client_header_buffers 4 8k;

        client_header_timeout {duration(proxy.header_timeout_s)};
        client_body_timeout {duration(proxy.body_timeout_s)};
        send_timeout {duration(proxy.send_timeout_s)};
        reset_timedout_connection on;
        keepalive_timeout {duration(proxy.keepalive_timeout_s)};
        keepalive_requests 10000;
        """
    )


def _forwarding(plan: Plan) -> str:
    return lines(
        f"""
        # Keep-alive to upstreams needs both: nginx says HTTP/1.0 and Connection: close by itself.
        proxy_http_version 1.1;
        proxy_set_header Connection "";

        proxy_set_header Host $http_host;
        proxy_set_header X-Request-ID $request_identity;
        # Who the caller is, we know; what it says of that is not passed on. The gateway opens
        # pages to this machine by these.
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        # It is in every answer once, whoever answers.
        proxy_hide_header X-Request-ID;

        # On this machine a process answers at once or is gone.
        proxy_connect_timeout {duration(plan.project.proxy.connect_timeout_s)};
        proxy_buffer_size 16k;
        proxy_buffers 16 32k;

        # Another one is asked where a connection cannot be made or breaks before the answer,
        # also for POST: to predict twice changes nothing. A 503 is an answer: of a gateway that
        # has itself asked all model servers.
        proxy_next_upstream error timeout non_idempotent;
        """
    )


def _tls(plan: Plan) -> str:
    proxy = plan.project.proxy
    if not (proxy.tls_certificate and proxy.tls_key):
        return ""
    folder = plan.file.parent
    certificate = file_word(folder / proxy.tls_certificate, "proxy.tls_certificate")
    return lines(
        f"""
        # For both ports. Files that are renewed are read by slipway reload.
        ssl_certificate {certificate};
        ssl_certificate_key {file_word(folder / proxy.tls_key, "proxy.tls_key")};
        ssl_protocols TLSv1.2 TLSv1.3;
        # Of TLS 1.2, what has forward secrecy; clients know best which of these is fast for them.
        ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
        ssl_prefer_server_ciphers off;
        ssl_session_cache shared:tls:10m;
        ssl_session_timeout 1d;
        # Keys of tickets would live as long as the master does.
        ssl_session_tickets off;
        """
    )


def _upstreams(plan: Plan) -> Iterator[str]:
    proxy = plan.project.proxy
    if _has_gateways(plan):
        yield lines(
            """
            # In each: whoever has the fewest requests under way is next, counted by all workers
            # together (zone). Ten failures within a second, and it is left out for one; then one
            # request tries it. A refused connection costs nothing on this machine, and with few
            # failures allowed, two processes that reload together would leave nobody to ask.
            """
        ) + "\n" + _upstream(
            proxy, "gateways", [gateway.address for gateway in plan.gateways], proxy.gateways
        )  # fmt: skip
    if _has_rest(plan):
        here = [server.rest for server in plan.servers]
        yield _upstream(proxy, "rest_servers", here, proxy.servers)
    if proxy.grpc_port:
        yield _upstream(proxy, "grpc_servers", _grpc_addresses(plan), [])


def _upstream(
    proxy: ProxySection, name: str, here: Sequence[str], elsewhere: Sequence[ProxyTargetSection]
) -> str:
    health = "max_fails=10 fail_timeout=1s"
    servers = [f"server {word(address)} {health};" for address in here]
    if elsewhere:
        # A dead machine does not refuse: each try costs the time to connect.
        servers.append("# On other machines, where a try of a dead one costs seconds.")
        servers += [
            f"server {word(target.address)} weight={target.weight} max_fails=3 fail_timeout=5s;"
            for target in elsewhere
        ]
    return block(
        f"upstream {name}",
        f"zone {name} 64k;\nleast_conn;",
        "\n".join(servers),
        "# Shorter than Gunicorn and slipway serve keep them: one that they closed first might "
        "have a\n# request on its way.\nkeepalive 64;\n"
        f"keepalive_timeout {duration(proxy.upstream_keepalive_timeout_s)};\n"
        "keepalive_requests 100000;",
    )


def _http_server(plan: Plan, routes: Sequence[ProxiedRoute]) -> str:
    proxy = plan.project.proxy
    tls = " ssl http2" if proxy.tls_certificate else ""
    return block(
        "server",
        "# With reuseport the next master listens before the workers of a killed one have ended.\n"
        f"listen {word(host_port(proxy.host, proxy.port))} default_server{tls} reuseport;\n"
        "server_name _;\n"
        "add_header X-Request-ID $request_identity always;",
        problem_pages(),
        _rest_location(plan),
        *_gateway_locations(plan, routes),
    )


def _rest_location(plan: Plan) -> str:
    if not _has_rest(plan):
        return ""
    read_s = rest_read_s(plan.project)
    return lines(
        f"""
        # The REST API of the model servers: predict, classify, regress, metadata and status.
        # Nothing else of them is reached from here.
        location ^~ /v1/models/ {{
            if ($request_method !~ "^(GET|HEAD|POST)$") {{
                return 405;
            }}
            proxy_read_timeout {duration(read_s)};
            proxy_next_upstream_timeout {duration(retry_s(read_s))};
            proxy_pass http://rest_servers;
        }}
        """
    )


def _gateway_locations(plan: Plan, routes: Sequence[ProxiedRoute]) -> Iterator[str]:
    if not _has_gateways(plan):
        yield lines(
            """
            # Says that nginx is there; the models tell of themselves at /v1/models/NAME.
            location = /healthz {
                default_type application/json;
                return 200 '{"status":0}';
            }
            location / {
                return 404;
            }
            """
        )
        return
    read_s = gateway_read_s(plan.project.gateway)
    yield lines(
        f"""
        # The gateways give up first, and say why. Who waited as long is not sent to another one.
        proxy_read_timeout {duration(read_s)};
        proxy_next_upstream_timeout {duration(retry_s(read_s))};
        """
    )
    if not plan.project.gateway.open_pages:
        yield _operators_location()
    yield from _once_locations(routes)
    yield lines(
        """
        # The routes, /healthz and /readyz.
        location / {
            proxy_pass http://gateways;
        }
        """
    )


def _operators_location() -> str:
    from slipway.gateway.try_it import FILES

    pages = "|".join(re.escape(page[1:]) for page in ("/metrics", "/openapi.json", *FILES))
    return lines(
        f"""
        # For operators, who are on this machine; open_pages = true would open them.
        location ~ {word(f"^/({pages})$")} {{
            if ($is_outside) {{
                return 403;
            }}
            proxy_pass http://gateways;
        }}
        """
    )


def _once_locations(routes: Sequence[ProxiedRoute]) -> Iterator[str]:
    """Yield a location for each path that is not to be asked twice."""
    for path, safe in _asked_once(routes).items():
        if safe:
            reason = "# Sent on only where it could not be sent: it is not idempotent."
            retry = "proxy_next_upstream error timeout;"
        else:
            reason = (
                "# Never sent twice: it is not idempotent. nginx holds that every GET is;\n"
                "# were it for POST alone, what could not be sent would go elsewhere."
            )
            retry = "proxy_next_upstream off;"
        directives = f"{retry}\nproxy_pass http://gateways;"
        yield f"{reason}\n{block(f'location {_match(path)}', directives)}"


def _asked_once(routes: Sequence[ProxiedRoute]) -> dict[str, bool]:
    """Return the paths that are not idempotent; whether nginx sends none of it a second time."""
    found: dict[str, bool] = {}
    for route in routes:
        if not route.idempotent:
            is_sent_once = set(route.methods) <= _NOT_REPEATED_BY_NGINX
            found[route.path] = found.get(route.path, True) and is_sent_once
    return found


def _match(path: str) -> str:
    """Return what a location matches, of a path with Flask's variables in it."""
    if not _VARIABLE.search(path):
        return f"= {word(path)}"
    pattern, end = "", 0
    for variable in _VARIABLE.finditer(path):
        pattern += re.escape(path[end : variable.start()])
        pattern += ".+" if variable[1] == "path" else "[^/]+"
        end = variable.end()
    return f"~ {word(f'^{pattern}{re.escape(path[end:])}$')}"


def _grpc_server(plan: Plan) -> str:
    proxy = plan.project.proxy
    if not proxy.grpc_port:
        return ""
    tls = " ssl" if proxy.tls_certificate else ""
    address = host_port(proxy.host, proxy.grpc_port)
    names = ("/tensorflow.serving.PredictionService/",
             "= /tensorflow.serving.ModelService/GetModelStatus")  # fmt: skip
    return "# gRPC, for clients of TensorFlow Serving.\n" + block(
        "server",
        f"listen {word(address)} default_server http2{tls} reuseport;\nserver_name _;",
        grpc_problem_pages(),
        lines(
            f"""
            # Clients hold their connections, with many calls at a time on each.
            http2_max_concurrent_streams 512;
            keepalive_timeout 1h;
            keepalive_requests 1000000;

            grpc_set_header X-Request-ID $request_identity;
            grpc_set_header X-Real-IP $remote_addr;
            grpc_set_header X-Forwarded-For $remote_addr;
            grpc_connect_timeout {duration(proxy.connect_timeout_s)};
            # Deadlines are the callers' own, and the model server keeps them.
            grpc_read_timeout {duration(proxy.grpc_read_timeout_s)};
            grpc_send_timeout {duration(proxy.grpc_read_timeout_s)};
            # A body of gRPC is passed on as it comes: what was begun cannot be sent again.
            grpc_next_upstream error timeout non_idempotent;
            grpc_next_upstream_timeout 10s;
            """
        ),
        *(block(f"location {name}", "grpc_pass grpc://grpc_servers;") for name in names),
        "# No reload of the configuration, no health, no reflection from outside.\n"
        + block("location /", grpc_answer(Code.UNIMPLEMENTED, "the proxy does not forward this")),
    )


def _grpc_addresses(plan: Plan) -> list[str]:
    """Return the model servers that speak gRPC: those of the stack, or the gateway's."""
    upstreams = plan.project.gateway.upstreams or ()
    addresses = [server.grpc for server in plan.servers] or [
        address for address in upstreams if not address.startswith(("http://", "https://"))
    ]
    if not addresses:
        raise ConfigError(
            f"{plan.file}: proxy.grpc_port: there is no model server that speaks gRPC; add "
            "[[models]], or leave it out"
        )
    return addresses


def _has_gateways(plan: Plan) -> bool:
    return bool(plan.gateways or plan.project.proxy.gateways)


def _has_rest(plan: Plan) -> bool:
    return bool(plan.servers or plan.project.proxy.servers)


def _max_body_bytes(plan: Plan) -> int:
    return plan.project.proxy.max_body_bytes or plan.project.gateway.max_body_bytes
