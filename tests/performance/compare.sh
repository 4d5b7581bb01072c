#!/usr/bin/env bash
# Compares FerroGate with nginx as a plain reverse proxy and with LiteLLM, in one run, in front of the same upstream:
# a static nginx that answers every chat request with the same completion.
#
#   tests/performance/compare.sh [path/to/ferrogate]      default: target/release/ferrogate
#
#   DURATION=10  CONNECTIONS=32  ROUNDS=3                 how much load
#   LITELLM_VERSION=…                                     which one to take from PyPI; default: the newest
#   LITELLM_VENV=dir                                      keep its environment there for the next run
#
# Needs wrk, nginx and curl (Debian: apt-get install wrk nginx-light curl). A peer whose tool is missing is skipped and
# says so. Everything listens on loopback, lives in a temporary directory and is gone afterwards.
#
# The rounds of the peers are interleaved; printed are medians. CPU is the user and system time of the gateway's own
# processes by /proc, not that of wrk or the upstream: the figure that a noisy machine disturbs least.
set -euo pipefail

DURATION=${DURATION:-10}
CONNECTIONS=${CONNECTIONS:-32}
ROUNDS=${ROUNDS:-3}
root=$(cd "$(dirname "$0")/../.." && pwd)
ferrogate=${1:-${CARGO_TARGET_DIR:-$root/target}/release/ferrogate}

work=$(mktemp -d "${TMPDIR:-/tmp}/ferrogate-compare-XXXXXX")
pids=()
stop() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '%s\n' "$*" >&2; }
skip() { say "skipped: $1: $2"; }

for tool in wrk nginx curl; do
    if ! PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null; then
        say "this comparison needs $tool (Debian: apt-get install wrk nginx-light curl)"
        exit 1
    fi
done
PATH=$PATH:/usr/sbin

free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Waits until a chat request through PORT is answered, for at most SECONDS.
await_chat() { # name port seconds
    local deadline=$((SECONDS + $3))
    until curl -fsS -o "$work/$1.first" -H "authorization: Bearer $key" -H 'content-type: application/json' \
        -d "$body" "http://127.0.0.1:$2/v1/chat/completions" 2>"$work/$1.curl"; do
        if ((SECONDS >= deadline)); then
            skip "$1" "no answer within $3 s: $(tail -n 3 "$work/$1.log" "$work/$1.curl" 2>/dev/null | tr '\n' ' ')"
            return 1
        fi
        sleep 0.2
    done
}

key=sk-compare-$RANDOM$RANDOM$RANDOM
body='{"model":"gpt-4o-mini","messages":[{"role":"user","content":"What does a gateway cost?"}]}'
completion='{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Less than you think.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":14,"completion_tokens":5,"total_tokens":19}}'

# ── the upstream, and nginx in front of it ─────────────────────────────────────────────────────────────────────────

nginx_with() { # name, server block on stdin
    mkdir -p "$work/$1"
    {
        echo "daemon off; worker_processes auto; pid $work/$1/pid; error_log $work/$1.log error;"
        echo "events { worker_connections 4096; }"
        echo "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;"
        for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $work/$1/$kind;"; done
        cat
        echo "}"
    } >"$work/$1.conf"
    nginx -c "$work/$1.conf" -p "$work/$1" 2>>"$work/$1.log" &
    pids+=($!)
    started=$!
}

upstream=$(free_port)
nginx_with upstream <<CONF
server {
    listen 127.0.0.1:$upstream backlog=4096;
    location / { default_type application/json; return 200 '$completion'; }
}
CONF
await_chat upstream "$upstream" 10

declare -A port pid
peers=()

nginx_port=$(free_port)
nginx_with nginx <<CONF
upstream provider { server 127.0.0.1:$upstream; keepalive 256; keepalive_requests 1000000000; }
server {
    listen 127.0.0.1:$nginx_port backlog=4096;
    location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; }
}
CONF
if await_chat nginx "$nginx_port" 10; then
    peers+=(nginx) port[nginx]=$nginx_port pid[nginx]=$started
fi

# ── ours: a key with a limit, a price, metering and the ledger on ──────────────────────────────────────────────────

if [[ -x $ferrogate ]]; then
    our_port=$(free_port)
    cat >"$work/ferrogate.toml" <<CONF
listen = "127.0.0.1:$our_port"
[admin]
listen = "off"
[storage]
path = "$work/ferrogate-data"
[telemetry]
access_log = "off"
[limits]
connections_per_address_max = 16384
[[providers]]
name = "static"
kind = "openai-compatible"
base_url = "http://127.0.0.1:$upstream/v1"
[[models]]
name = "gpt-4o-mini"
provider = "static"
provider_model = "gpt-4o-mini"
input_price_per_1m = "0.15"
output_price_per_1m = "0.60"
[[api_keys]]
id = "compare"
key_hash = "sha256:$(printf %s "$key" | sha256sum | cut -d' ' -f1)"
request_limit_per_minute = 1000000000
CONF
    "$ferrogate" run --config "$work/ferrogate.toml" >"$work/ferrogate.log" 2>&1 &
    pids+=($!)
    started=$!
    if await_chat ferrogate "$our_port" 20; then
        peers+=(ferrogate) port[ferrogate]=$our_port pid[ferrogate]=$started
    fi
else
    skip ferrogate "no executable at $ferrogate (build it with cargo build --release)"
fi

# ── LiteLLM: its proxy with a master key, without a database ───────────────────────────────────────────────────────

start_litellm() {
    local venv=${LITELLM_VENV:-$work/venv}
    if ! command -v python3 >/dev/null; then
        skip litellm "no python3"
        return
    fi
    if [[ ! -x $venv/bin/litellm ]]; then
        say "installing LiteLLM from PyPI …"
        if ! { python3 -m venv "$venv" &&
            timeout 600 "$venv/bin/pip" install --quiet "litellm[proxy]${LITELLM_VERSION:+==$LITELLM_VERSION}"; } \
            >"$work/pip.log" 2>&1; then
            skip litellm "it could not be installed: $(tail -n 1 "$work/pip.log")"
            return
        fi
    fi
    local at
    at=$(free_port)
    cat >"$work/litellm.yaml" <<CONF
model_list:
  - model_name: gpt-4o-mini
    litellm_params: { model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:$upstream/v1", api_key: sk-upstream }
general_settings: { master_key: "$key" }
CONF
    (cd "$work" && exec env LITELLM_LOG=ERROR LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_TELEMETRY=False \
        "$venv/bin/litellm" --config "$work/litellm.yaml" --host 127.0.0.1 --port "$at" --telemetry False) \
        >"$work/litellm.log" 2>&1 &
    pids+=($!)
    started=$!
    if await_chat litellm "$at" 120; then
        peers+=(litellm) port[litellm]=$at pid[litellm]=$started
        say "litellm $("$venv/bin/pip" show litellm 2>/dev/null | sed -n 's/^Version: //p')"
    fi
}
start_litellm

# ── the rounds ─────────────────────────────────────────────────────────────────────────────────────────────────────

cat >"$work/chat.lua" <<LUA
wrk.method = "POST"
wrk.body = '$body'
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer $key"
LUA

# User and system ticks of a process and all below it.
ticks_of() {
    local child sum
    sum=$(sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }')
    for child in $(cat /proc/"$1"/task/*/children); do sum=$((sum + $(ticks_of "$child"))); done
    echo "$sum"
}

tick_us=$((1000000 / $(getconf CLK_TCK)))

# One line of figures: requests/s, p50 µs, p99 µs, CPU µs a request.
round() { # peer seconds
    local before after
    before=$(ticks_of "${pid[$1]}")
    timeout $(($2 + 60)) wrk -t2 -c"$CONNECTIONS" -d"$2s" --latency -s "$work/chat.lua" \
        "http://127.0.0.1:${port[$1]}/v1/chat/completions" >"$work/wrk.out" || return 1
    after=$(ticks_of "${pid[$1]}")
    if grep -E 'Non-2xx|Socket errors' "$work/wrk.out" >&2; then
        say "$1 did not answer everything; its figures are worth nothing"
        return 1
    fi
    awk -v cpu_us=$(((after - before) * tick_us)) '
        function us(text) {
            if (text ~ /us$/) return text + 0
            if (text ~ /ms$/) return text * 1000
            return text * 1000000
        }
        $1 == "50%" { p50 = us($2) }
        $1 == "99%" { p99 = us($2) }
        $2 == "requests" && $3 == "in" { requests = $1 }
        $1 == "Requests/sec:" { rate = $2 }
        END { print rate, p50, p99, cpu_us / requests }' "$work/wrk.out"
}

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

failed=()
for number in $(seq 0 "$ROUNDS"); do
    for peer in "${peers[@]}"; do
        [[ " ${failed[*]} " == *" $peer "* ]] && continue
        if ((number == 0)); then
            # Warm-up; not counted.
            round "$peer" 1 >/dev/null || failed+=("$peer")
        else
            round "$peer" "$DURATION" >>"$work/$peer.figures" || failed+=("$peer")
        fi
    done
done

printf '\n%s CPUs, %s connections, medians of %s rounds of %s s\n\n' "$(nproc)" "$CONNECTIONS" "$ROUNDS" "$DURATION"
printf '%-12s %10s %10s %10s %14s %10s\n' gateway req/s 'p50 us' 'p99 us' 'CPU us/req' 'of nginx'
nginx_rate=
for peer in "${peers[@]}"; do
    if [[ " ${failed[*]} " == *" $peer "* ]]; then
        printf '%-12s %10s\n' "$peer" failed
        continue
    fi
    figures=()
    for column in 1 2 3 4; do figures+=("$(cut -d' ' -f"$column" "$work/$peer.figures" | median)"); done
    [[ $peer == nginx ]] && nginx_rate=${figures[0]}
    share=-
    [[ -n $nginx_rate ]] && share=$(awk "BEGIN { printf \"%.3f\", ${figures[0]} / $nginx_rate }")
    LC_ALL=C printf '%-12s %10.0f %10.0f %10.0f %14.1f %10s\n' "$peer" "${figures[@]}" "$share"
done
((${#failed[@]} == 0))
