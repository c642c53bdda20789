"""Every option of `slipway serve`, each declared once.

The flag, its type, its default, its bounds and its help all come from the field here. Names are
those of `tensorflow_model_server`, except where the help says otherwise.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from slipway.dataplane.base import Limits, LoadOptions
from slipway.lifecycle.manager import LOAD_THREADS

LIMITS = Limits()
LOAD = LoadOptions()
DAY_S = 86400.0
MAX_THREADS = 2**14

Port = Annotated[int, Field(ge=0, le=65535)]
Threads = Annotated[int, Field(ge=0, le=MAX_THREADS)]


class ServeOptions(BaseModel):
    """The flags of `slipway serve`; None for a flag that was not given and has no default.

    What was given is in `model_fields_set`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )

    port: Port = Field(
        8500,
        description="Port to answer gRPC on; 0 for none.",
    )
    grpc_socket_path: str | None = Field(
        None,
        description="Path of a Unix socket to answer gRPC on as well. One that is there already "
        "is taken over.",
    )
    rest_api_port: Port | None = Field(
        None,
        description="Port to answer REST on; 0 for no REST. Default: no REST, or 8501 when the "
        "model comes from the environment.",
    )
    host: str = Field(
        "127.0.0.1",
        description="IP address to listen on. Not a flag of the original, which listens on every "
        "address.",
    )
    ssl_config_file: str | None = Field(
        None,
        description="File with an SSLConfig in protobuf's text format: the key and certificates "
        "that gRPC's port speaks TLS with, and the authorities whose certificates callers have to "
        "show. Default: no TLS.",
    )
    rest_api_ssl_config_file: str | None = Field(
        None,
        description="The same for REST. Not a flag of the original, which has no TLS there.",
    )
    allow_remote_reload: bool = Field(
        False,
        description="Take a new model configuration from callers of other machines too. Not a flag "
        "of the original, which always does.",
    )
    model_name: str | None = Field(
        None,
        description="Name of the model in requests. Default: 'default'.",
    )
    model_base_path: str | None = Field(
        None,
        description="Absolute path of the folder that holds the model's numbered versions.",
    )
    model_config_file: str | None = Field(
        None,
        description="File with a ModelServerConfig in protobuf's text format: several models, with "
        "version policies and labels. Takes the place of --model_name and --model_base_path.",
    )
    model_config_file_poll_wait_seconds: int = Field(
        0,
        description="Seconds between two readings of that file; 0 to read it once.",
    )
    model_root: str | None = Field(
        None,
        description="Folder that all base paths must be under, also those of a reload. Not a flag "
        "of the original. Default: any folder.",
    )
    allow_version_labels_for_unavailable_models: bool = Field(
        False,
        description="Accept a new label for a version that is not there.",
    )
    serve_while_loading: bool = Field(
        False,
        description="Open the ports at once, and answer NOT_FOUND for models that are still "
        "loading. Not a flag of the original, which opens them when all models are loaded.",
    )
    num_load_threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Versions that may be loaded at the same time; 0 for as many as there are, up "
        f"to {LOAD_THREADS}.",
    )
    num_unload_threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Versions that may be unloaded at the same time; 0 as above.",
    )
    rest_api_timeout_in_ms: int = Field(
        30_000,
        description="Milliseconds that a REST request may wait and run; 0 or less for no limit.",
    )
    rest_api_enable_cors_support: bool = Field(
        False,
        description="Let pages of other origins read what REST answers (CORS).",
    )
    rest_api_num_threads: int | None = Field(
        None,
        ge=1,
        le=MAX_THREADS,
        description="Threads that run models for REST. They are those of --grpc_max_threads too: "
        "there are as many as both flags say together, or 4 a CPU where one that answers has "
        "none.",
    )
    grpc_max_threads: int | None = Field(
        None,
        ge=1,
        le=MAX_THREADS,
        description="Threads that run models for gRPC; see --rest_api_num_threads. A request waits "
        "for a thread, it is not refused.",
    )
    monitoring_config_file: str | None = Field(
        None,
        description="File with a MonitoringConfig in protobuf's text format: whether REST's port "
        "has metrics for Prometheus, and at which path. Default: no metrics.",
    )
    grpc_channel_arguments: str = Field(
        "",
        description="Arguments of gRPC's own library, name=value,name=value. Those that limit "
        "messages, headers, streams or idle time set the limits here; flags for these win.",
    )
    max_message_bytes: int = Field(
        LIMITS.max_message_bytes,
        ge=1,
        description="Largest gRPC message, REST body, or tensor in either.",
    )
    max_bytes_in_flight: int = Field(
        LIMITS.max_bytes_in_flight,
        ge=1,
        description="What all requests under way may hold together.",
    )
    max_json_depth: int = Field(
        LIMITS.max_json_depth,
        ge=1,
        le=1000,
        description="Levels of lists and objects in a REST body.",
    )
    max_concurrent_streams: int = Field(
        LIMITS.max_concurrent_streams,
        ge=1,
        le=2**31 - 1,
        description="Calls under way on one gRPC connection.",
    )
    max_header_bytes: int = Field(
        LIMITS.max_header_bytes,
        ge=8192,
        le=2**24,
        description="Largest headers of a request, all together.",
    )
    header_timeout_s: float = Field(
        LIMITS.header_timeout_s,
        gt=0,
        le=DAY_S,
        description="Seconds that the headers of a REST request may take to come.",
    )
    read_timeout_s: float = Field(
        LIMITS.read_timeout_s,
        gt=0,
        le=DAY_S,
        description="Seconds that a caller may pause while it sends a body.",
    )
    idle_timeout_s: float = Field(
        LIMITS.idle_timeout_s,
        gt=0,
        le=DAY_S,
        description="Seconds after which a connection without a request is closed, at the "
        "earliest; at the latest after twice as many.",
    )
    keepalive_time_s: float = Field(
        LIMITS.keepalive_time_s,
        gt=0,
        le=DAY_S,
        description="Seconds without a word from a gRPC caller after which it is pinged.",
    )
    keepalive_timeout_s: float = Field(
        LIMITS.keepalive_timeout_s,
        gt=0,
        le=DAY_S,
        description="Seconds that the answer to a ping may take before the connection is closed.",
    )
    file_system_poll_wait_seconds: int = Field(
        1,
        description="Seconds between two looks for new versions; 0 to look no more once the "
        "server is up.",
    )
    max_num_load_retries: int = Field(
        5,
        ge=0,
        description="Attempts after a first load that failed, before the server gives up starting. "
        "Later attempts never end, at growing intervals.",
    )
    load_retry_interval_micros: int = Field(
        60_000_000,
        description="Microseconds between these attempts; negative for none.",
    )
    saved_model_tags: str = Field(
        ",".join(LOAD.tags),
        description="Tags that name the graph to load in each SavedModel, with commas between.",
    )
    enable_signature_method_name_check: bool = Field(
        LOAD.check_method_names,
        description="Answer Classify and Regress only on signatures that name them as their "
        "method, and Predict only on those that name one of the three.",
    )
    tensorflow_session_parallelism: Threads = Field(
        0,
        description="Threads of TensorFlow, both within an op and for ops side by side; 0 for as "
        "many as there are CPUs. The two flags that follow win over it.",
    )
    tensorflow_intra_op_parallelism: Threads = Field(
        0,
        description="Threads that one op may use; 0 for as many as there are CPUs.",
    )
    tensorflow_inter_op_parallelism: Threads = Field(
        0,
        description="Threads that ops may run on side by side; 0 for as many as there are CPUs.",
    )
    executor: Literal["auto", "caller", "pool", "single_threaded"] = Field(
        "auto",
        description="Who runs a model's ops: caller, the thread of the request; pool, TensorFlow's "
        "threads, with ops side by side; single_threaded, the thread of the request by the "
        "single-threaded executor of TensorFlow, where a model can be run by it; auto takes what "
        "measurement favours. Not a flag of the original, which has the pool.",
    )
    per_process_gpu_memory_fraction: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of each GPU's memory that the server may take; 0 for as much as "
        "TensorFlow takes by itself, which is nearly all.",
    )
    enable_model_warmup: bool = Field(
        LOAD.warm_up,
        description="Warm a version up before it answers: run the requests that it has in "
        "assets.extra/tf_serving_warmup_requests. A version whose requests fail is not loaded.",
    )
    num_request_iterations_for_warmup: int = Field(
        0,
        description="How often each of these requests is run; 0 or less for once.",
    )
    enable_generated_warmup: bool = Field(
        LOAD.generated_warm_up,
        description="Warm a version up that has no such requests, unless --enable_model_warmup is "
        "false: run its signatures on made-up inputs, for a second at most, if their graph changes "
        "nothing and is known to end. Not a flag of the original.",
    )
    shutdown_grace_s: float = Field(
        30.0,
        ge=0,
        le=DAY_S,
        description="Seconds that requests under way may take to finish after SIGTERM. Not a "
        "flag of the original, which cuts them off.",
    )
    foreign_flags: Mapping[str, str] = Field(
        {},
        description="Flags of the original without a meaning here, with their values.",
    )
