#!/bin/sh
# The story of the market, told with curl and jq alone: two people register, one sells,
# the other one opens a wallet, runs out of money, tops up, pays, buys from the cart and
# reads the history. It ends with the first surprise and says which; its last line is a
# summary.
#
#   tests/tour.sh [BASE_URL [AUTH_URL PAY_URL]]
#
# BASE_URL is where the shop is, http://localhost:8080 when absent; the others are needed
# where those modules are services of their own. It may be repeated on a market that is in use: its
# people are new ones each time.
#
# Tokens come from TOKEN_COMMAND, which is called with an e-mail address or phone number as
# one more argument and prints a bearer token: "bin/jishi token --user" by default, which
# reads ./data. For a market elsewhere, name its settings:
#
#   TOKEN_COMMAND='bin/jishi token --data /srv/market --base-url https://market.example --user'
set -eu

shop=${1:-http://localhost:8080}
shop=${shop%/}
auth=${2:-$shop}
pay=${3:-$shop}
token_command=${TOKEN_COMMAND:-bin/jishi token --user}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

run=$(date +%s)-$$
password='correct horse 42'
steps=0
status=

# surprise says what is not as it should be, shows the answer, and ends the tour.
surprise() {
	printf 'surprise: %s\n' "$*" >&2
	[ ! -s "$dir/body" ] || {
		head -c 2000 "$dir/body" >&2
		echo >&2
	}
	printf 'The tour of %s ended at step %d with a surprise: %s\n' "$shop" $((steps + 1)) "$*"
	exit 1
}

# step says what went well.
step() {
	steps=$((steps + 1))
	printf '%2d. %s\n' "$steps" "$*"
}

# call METHOD URL TOKEN [BODY [KEY]] sends a request. The answer is in $status and $dir/body.
call() {
	set -- "$1" "$2" "$3" "${4:-}" "${5:-}" -sS -X "$1" -o "$dir/body" -w '%{http_code}'
	[ -z "$3" ] || set -- "$@" -H "Authorization: Bearer $3"
	[ -z "$4" ] || set -- "$@" -H 'Content-Type: application/json' --data "$4"
	[ -z "$5" ] || set -- "$@" -H "Idempotency-Key: $5"
	set -- "$2" "$@"
	url=$1
	shift 6
	: >"$dir/body"
	status=$(curl "$@" "$url") || surprise "curl can't reach $url"
}

# want STATUS CONDITION WHAT ends the tour unless the answer has that status and the
# condition of jq holds for its document.
want() {
	[ "$status" = "$1" ] || surprise "$3: status $status, want $1"
	jq -e "$2" "$dir/body" >"$dir/said" 2>&1 || surprise "$3: not true of the answer: $2"
}

# get PATH is a member of the document that was answered.
get() { jq -r "$1" "$dir/body"; }

# token IDENTIFIER is a bearer token of that user.
token() {
	# shellcheck disable=SC2086 # a command with its arguments
	$token_command "$1" || surprise "no token for $1 from: $token_command"
}

# browse URL [CURL-ARGUMENT...] loads a page as a browser does, with its cookies and
# along all redirects. Their headers are in $dir/head.
browse() {
	page=$1
	shift
	status=$(curl -sS -L -b "$dir/cookies" -c "$dir/cookies" -D "$dir/head" -o "$dir/body" -w '%{http_code}' "$@" "$page") ||
		surprise "curl can't reach $page"
	[ "$status" = 200 ] || surprise "$page: status $status, want 200"
}

# hidden NAME is the value of that hidden input on the page.
hidden() {
	value=$(sed -n "s/.*<input type=\"hidden\" name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" "$dir/body" | head -1)
	[ -n "$value" ] || surprise "the page has no hidden input $1"
	printf '%s' "$value"
}

for program in curl jq; do
	command -v "$program" >/dev/null || surprise "$program is not installed"
done

# --- two people ---

seller="tour-seller-$run@example.com"
buyer="tour-buyer-$run@example.com"
for who in "$seller" "$buyer"; do
	body="{\"identifier\":\"$who\",\"password\":\"$password\",\"name\":\"Tour ${who%%-"$run"*}\"}"
	call POST "$auth/auth/api/v1/users" '' "$body"
	want 201 ".identifier == \"$who\" and (.id | startswith(\"usr_\"))" "register $who"
done
step "registered $seller and $buyer"

call POST "$auth/auth/api/v1/users" '' "$body"
want 409 '.code == "auth.taken" and .field == "identifier"' 'register twice'
step 'a second registration with the same address is refused'

# --- the authorization-code flow, walked as a browser walks it; the client is the shop ---

browse "$shop/home"
grep -i '^location: .*[?&]code_challenge_method=S256' "$dir/head" >"$dir/said" || surprise 'the login begins without PKCE'
browse "$auth/auth/login" --data-urlencode "token=$(hidden token)" --data-urlencode "flow=$(hidden flow)" \
	--data-urlencode "identifier=$buyer" --data-urlencode 'password=not the one'  --fail-with-body 2>"$dir/said" && surprise 'logged in with a wrong password'
