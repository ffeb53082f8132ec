#!/bin/sh
# The story of the market, told with curl and jq alone: two people register, one sells, the
# other one buys, is short of money, tops up, pays, buys from the cart and reads the
# history. It ends at the first surprise with a message and exit code 1; its last line is
# a summary either way.
#
#   tests/tour.sh [SHOP_URL [AUTH_URL PAY_URL]]
#
# SHOP_URL is http://localhost:8080 when absent; the other two are for a market whose
# modules are services of their own. It can be repeated on a market in use: its people
# are new ones each time.
#
# Tokens come from TOKEN_COMMAND, which gets an e-mail address as one more argument and prints
# a bearer token. By default that is "bin/jishi token --user", which reads ./data; for
# another market, name its settings:
#
#   TOKEN_COMMAND='bin/jishi token --data /srv/market --base-url https://market.example --user'
set -eu

shop=${1:-http://localhost:8080}
shop=${shop%/}
auth=${2:-$shop}
auth=${auth%/}
pay=${3:-$shop}
pay=${pay%/}
token_command=${TOKEN_COMMAND:-bin/jishi token --user}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

run=$(date +%s)-$$
password='correct horse 42'
steps=0

# surprise WHAT shows the last answer and ends the tour.
surprise() {
	if [ -s "$dir/body" ]; then
		head -c 2000 "$dir/body" >&2
		echo >&2
	fi
	echo "The tour of $shop met a surprise after $steps steps: $*"
	exit 1
}

# step WHAT tells what went well.
step() {
	steps=$((steps + 1))
	printf '%2d. %s\n' "$steps" "$*"
}

# call METHOD URL [TOKEN [BODY [KEY]]] sends a request; $status and $dir/body are the answer.
call() {
	method=$1 url=$2 bearer=${3:-} sent=${4:-} key=${5:-}
	set -- -sS -X "$method" -o "$dir/body" -w '%{http_code}'
	[ -z "$bearer" ] || set -- "$@" -H "Authorization: Bearer $bearer"
	[ -z "$sent" ] || set -- "$@" -H 'Content-Type: application/json' --data "$sent"
	[ -z "$key" ] || set -- "$@" -H "Idempotency-Key: $key"
	: >"$dir/body"
	status=$(curl "$@" "$url") || surprise "no answer to $method $url"
}

# want STATUS CONDITION compares the answer to the last call with what it should be: its
# status, and a condition in jq's language about the document.
want() {
	[ "$status" = "$1" ] || surprise "$method $url answers $status, want $1"
	jq -e "$2" "$dir/body" >/dev/null 2>&1 || surprise "$method $url: this does not hold: $2"
}

# field NAME is a member of the document.
field() { jq -r ".$1" "$dir/body"; }

# token_of IDENTIFIER is a bearer token of a user.
token_of() {
	# shellcheck disable=SC2086 # it is a command with arguments
	$token_command "$1"
}

# browse URL [FIELD=VALUE...] loads a page, or sends it a form, as a browser does: with
# cookies, and along its redirects, whose headers are in $dir/head.
browse() {
	method=browse url=$1
	shift
	for pair in "$@"; do
		set -- "$@" --data-urlencode "$pair"
		shift
	done
	status=$(curl -sS -L -b "$dir/cookies" -c "$dir/cookies" -D "$dir/head" -o "$dir/body" -w '%{http_code}' "$@" "$url") ||
		surprise "no answer to $url"
	[ "$status" = 200 ] || surprise "$url answers $status, want 200"
}

# hidden NAME is the value of a hidden input of the page's login form.
hidden() { sed -n "s/.*<form[^>]*id=\"login\".*<input type=\"hidden\" name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" "$dir/body"; }

# redirected PATTERN finds a redirect of the last page that matches it.
redirected() { grep -i '^location:' "$dir/head" | grep -q "$1" || surprise "$url: no redirect matches $1"; }

: >"$dir/body"
for program in curl jq; do
	command -v "$program" >/dev/null || surprise "$program is not installed"
done

# Two people, and a login through the pages: the authorization-code flow with PKCE.

seller="tour-seller-$run@example.com"
buyer="tour-buyer-$run@example.com"
for who in "$seller" "$buyer"; do
	person="{\"identifier\":\"$who\",\"password\":\"$password\",\"name\":\"${who%%-"$run"*}\"}"
	call POST "$auth/auth/api/v1/users" '' "$person"
	want 201 ".identifier == \"$who\" and (.id | startswith(\"usr_\"))"
done
step "registered $seller and $buyer"

call POST "$auth/auth/api/v1/users" '' "$person"
want 409 '.code == "auth.taken" and .field == "identifier"'
step 'nobody can register with the same address again'

browse "$shop/home"
redirected '/auth/authorize?.*code_challenge_method=S256'
browse "$auth/auth/login" "token=$(hidden token)" "flow=$(hidden flow)" "identifier=$buyer" "password=$password"
redirected '/session/callback?.*code='
grep -q 'tour-buyer' "$dir/body" || surprise 'the page after the login does not greet the buyer'
step 'logged in through the pages, by a code with PKCE'
: >"$dir/body"

selling=$(token_of "$seller") || surprise "no token from: $token_command"
buying=$(token_of "$buyer") || surprise "no token from: $token_command"
call GET "$auth/auth/api/v1/me" "$buying"
want 200 ".identifier == \"$buyer\""
call GET "$pay/pay/api/v1/wallets"
want 401 '.code != null'
step 'tokens say who one is, and without one there is nothing to see'

# A product, and a wallet.

call POST "$shop/api/v1/products" "$selling" '{"title":"Teapot","description":"Seen on the tour","price":"12.50","stock":9}'
want 201 '.price == {"amount":"12.50","currency":"CNY"} and .stock == 9 and .listed'
product=$(field id)
call GET "$shop/api/v1/products/$product"
want 200 '.title == "Teapot" and .seller.name == "tour-seller"'
step 'offered 9 teapots at 12.50 each'

call GET "$pay/pay/api/v1/wallets" "$buying"
want 200 '.items == []'
call POST "$pay/pay/api/v1/wallets" "$buying" '{"name":"Pocket money","amount":"10"}'
want 201 '.balance.amount == "10.00" and .default'
wallet=$(field id)
call POST "$pay/pay/api/v1/topups" "$buying" "{\"wallet\":\"$wallet\",\"amount\":\"5\"}"
want 201 '.state == "succeeded" and .amount.amount == "5.00"'
call GET "$pay/pay/api/v1/wallets" "$buying"
want 200 '(.items | length) == 1 and .items[0].balance.amount == "15.00"'
step 'opened a wallet with 10.00 and topped it up to 15.00'

# Buy; the money is short; top up; pay.

two="{\"items\":[{\"product\":\"$product\",\"quantity\":2,\"price\":\"12.50\"}]}"
call POST "$shop/api/v1/orders" "$buying" "$two" "tour-$run"
want 402 '.code == "shop.unpaid" and .missing.amount == "10.00" and (.checkout_url | length) > 0'
first=$(field order)
call GET "$shop/api/v1/orders/$first" "$buying"
want 200 '.state == "pending" and .total.amount == "25.00"'
step 'ordered two teapots; 10.00 are missing, and the order waits'

call POST "$pay/pay/api/v1/topups" "$buying" "{\"wallet\":\"$wallet\",\"amount\":\"60\"}"
want 201 '.state == "succeeded"'
call POST "$shop/api/v1/orders/$first/pay" "$buying"
want 200 ".id == \"$first\" and .state == \"paid\""
call GET "$pay/pay/api/v1/wallets/$wallet" "$buying"
want 200 '.balance.amount == "50.00"'
step 'topped up and paid; 50.00 are left'

call POST "$shop/api/v1/orders" "$buying" "$two" "tour-$run"
want 201 ".id == \"$first\""
call POST "$shop/api/v1/orders" "$buying" "{\"items\":[{\"product\":\"$product\",\"quantity\":3}]}" "tour-$run"
want 422 '.code == "idempotency.mismatch"'
step 'the same key orders once, and nothing else'

# The cart.

call PUT "$shop/api/v1/cart/items/$product" "$buying" '{"quantity":3}'
want 200 '.total.amount == "37.50" and .items[0].available'
call PUT "$shop/api/v1/cart/items/$product" "$buying" '{"quantity":1.5}'
want 422 '.field == "quantity"'
call POST "$shop/api/v1/orders" "$buying" '{"cart":true}'
want 201 '.state == "paid" and .total.amount == "37.50"'
second=$(field id)
call GET "$shop/api/v1/cart" "$buying"
want 200 '.items == []'
call GET "$shop/api/v1/products/$product"
want 200 '.stock == 4'
call PUT "$shop/api/v1/cart/items/$product" "$buying" '{"quantity":5}'
want 200 '.items[0].available == false'
call POST "$shop/api/v1/orders" "$buying" '{"cart":true}'
want 409 '.code == "shop.sold_out" and .available == 4'
step 'bought three more from the cart; of the 4 that are left nobody gets 5'

# The history, on all sides.

call GET "$shop/api/v1/orders" "$buying"
want 200 "[.items[].id] == [\"$second\", \"$first\"] and all(.items[]; .state == \"paid\")"
call GET "$shop/api/v1/orders?limit=1" "$buying"
want 200 "[.items[].id] == [\"$second\"]"
call GET "$shop/api/v1/orders?limit=1&cursor=$(field next)" "$buying"
want 200 "[.items[].id] == [\"$first\"] and .next == null"
call GET "$shop/api/v1/orders?role=seller" "$selling"
want 200 "[.items[].id] == [\"$second\", \"$first\"] and all(.items[]; .buyer.name == \"tour-buyer\")"
call GET "$shop/api/v1/orders/$first" "$selling"
want 200 ".id == \"$first\" and .buyer.name == \"tour-buyer\""
step 'both orders are in the history, a page at a time, and only for whom they concern'

call GET "$pay/pay/api/v1/wallets/$wallet/entries" "$buying"
want 200 '[.items[].amount.amount] == ["-37.50", "-25.00", "60.00", "5.00", "10.00"]'
want 200 '[.items[].balance.amount] == ["12.50", "50.00", "75.00", "15.00", "10.00"]'
want 200 "[.items[] | .order // \"-\"] == [\"$second\", \"$first\", \"-\", \"-\", \"-\"]"
step 'the statement of the wallet explains every balance, down to 12.50'

echo "The tour of $shop went as it should: $steps steps, 2 people, 2 orders paid, 62.50 moved."
