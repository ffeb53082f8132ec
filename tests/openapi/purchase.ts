// A purchase by the clients that a generator made from the committed documents: the
// compiler checks that they say what is used here, and the market that they are true.
import * as auth from "./auth";
import * as pay from "./pay";
import * as shop from "./shop";
import { client as authClient } from "./auth/client.gen";
import { client as payClient } from "./pay/client.gen";
import { client as shopClient } from "./shop/client.gen";

export interface Market {
  shop: string;
  pay: string;
  auth: string;
  // token asks the market's own command for an access token of a user.
  token: (identifier: string) => string;
}

function check(what: string, holds: boolean, got?: unknown): asserts holds {
  if (!holds) {
    throw new Error(`${what}: got ${JSON.stringify(got)}`);
  }
}

export async function purchase(market: Market): Promise<string> {
  authClient.setConfig({ baseUrl: market.auth });

  const join = async (identifier: string, name: string) => {
    const made = await auth.register({ body: { identifier, name, password: "correct horse 42" } });
    check(`register ${name}`, made.data?.name === name, made.error);
    const token = market.token(identifier);
    const me = await auth.getMe({ auth: token });
    check("the token's user", me.data?.id === made.data.id, me.error);
    return token;
  };
  const as = (token: string) => {
    shopClient.setConfig({ baseUrl: market.shop, auth: token });
    payClient.setConfig({ baseUrl: market.pay, auth: token });
  };
  const seller = await join("seller@example.com", "Ann");
  const buyer = await join("buyer@example.com", "Bob");

  as(seller);
  const offered = await shop.addProduct({ headers: { "Idempotency-Key": "teapot" }, body: { title: "Teapot", price: "12.00", stock: 3 } });
  check("offer", offered.response?.status === 201 && offered.data?.price.amount === "12.00", offered.error);
  const id = offered.data.id;
  const stale = await shop.changeProduct({ path: { id }, headers: { "If-Match": '"7"' }, body: { stock: 5 } });
  check("change an old version", stale.response?.status === 412 && stale.error?.code === "shop.stale", stale.error);
  const restocked = await shop.changeProduct({
    path: { id }, headers: { "If-Match": offered.response.headers.get("ETag") ?? "" }, body: { stock: 5, stock_seen: 3 },
  });
  check("restock", restocked.data?.stock === 5, restocked.error);

  as(buyer);
  const wallet = await pay.createWallet({ body: { name: "Pocket money", amount: "5" } });
  check("wallet", wallet.data?.balance.amount === "5.00", wallet.error);
  const unpaid = await shop.placeOrder({ body: { items: [{ product: id, quantity: 2 }] } });
  const order = unpaid.error?.order;
  check("too little money", unpaid.response?.status === 402 && unpaid.error?.code === "shop.unpaid" && typeof order === "string", unpaid.error);
  const topUp = await pay.createTopUp({ body: { wallet: wallet.data.id, amount: { amount: "25.00", currency: "CNY" } } });
  check("top up", topUp.data?.state === "succeeded", topUp.error);
  const paid = await shop.payOrder({ path: { id: order }, body: {} });
  check("pay", paid.data?.state === "paid" && paid.data.total.amount === "24.00", paid.error);

  const statement = await pay.listEntries({ path: { id: wallet.data.id }, query: { limit: 1 } });
  check("the statement's first page", statement.data?.items?.[0]?.balance.amount === "6.00" && !!statement.data.next, statement.error);
  const product = await shop.getProduct({ path: { id } });
  check("the stock", product.data?.stock === 3, product.error);
  return `${paid.data.id} ${paid.data.state} ${paid.data.total.amount} ${paid.data.total.currency}`;
}
