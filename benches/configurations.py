"""What each server of a benchmark is told, as alike as they can be told it.

All keep connections alive on both sides, balance by least connections over the same upstreams, and write no
body to disk.
"""

import json
import os
from pathlib import Path

ANSWER = json.dumps(
    {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "bench",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }
).ljust(300)


def upstream(folder: Path, ports: list, status: int) -> str:
    listen = " ".join(f"listen 127.0.0.1:{port};" for port in ports)
    return f"""
{_nginx_process(folder, "upstream", workers=1)}
http {{
  {_nginx_http(folder)}
  access_log off;
  server {{
    {listen}
    default_type application/json;
    location / {{ return 200 '{ANSWER}'; }}
  }}
  server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}
}}
"""


def nginx(folder: Path, port: int, upstreams: list, workers: int, size: int, log: bool) -> str:
    servers = " ".join(f"server 127.0.0.1:{upstream};" for upstream in upstreams)
    access_log = f"{folder}/nginx-access.log" if log else "off"
    return f"""
{_nginx_process(folder, "nginx", workers)}
http {{
  {_nginx_http(folder)}
  access_log {access_log};
  # A body that fits is held in memory, not in a file, before it goes up.
  client_body_buffer_size {size + 16384};
  upstream deployments {{ zone deployments 256k; least_conn; {servers} keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} reuseport;
    location / {{
      proxy_pass http://deployments;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""


def _nginx_process(folder: Path, name: str, workers: int) -> str:
    # Workers of a root process would become nobody, who may not enter the temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""{user} daemon off; worker_processes {workers}; pid {folder}/{name}.pid; error_log stderr error;
events {{ worker_connections 8192; }}"""


def _nginx_http(folder: Path) -> str:
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{path}_temp_path {folder}/{path};" for path in paths)
    return f"{temporary} keepalive_requests 1000000000; client_max_body_size 100m; tcp_nodelay on;"


def haproxy(port: int, upstreams: list, threads: int, size: int, log: bool) -> str:
    servers = "\n".join(f"  server s{number} 127.0.0.1:{up}" for number, up in enumerate(upstreams))
    return f"""
global
  nbthread {threads}
  maxconn 8192
  # HAProxy passes a body on as it comes; a whole one fits into a buffer.
  tune.bufsize {size + 32768}
  {"log stdout format raw local0" if log else ""}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  {"log global" if log else ""}
  {"option httplog" if log else ""}
frontend front
  bind 127.0.0.1:{port}
  default_backend deployments
backend deployments
  balance leastconn
  http-reuse always
{servers}
"""


def leastbusy(upstreams: list, workers: int) -> str:
    # JSON is YAML.
    deployments = [
        {
            "model_name": "bench",
            "litellm_params": {"model": "hosted_vllm/bench", "api_base": f"http://127.0.0.1:{port}/v1"},
        }
        for port in upstreams
    ]
    return json.dumps({"model_list": deployments, "general_settings": {"workers": workers}})
