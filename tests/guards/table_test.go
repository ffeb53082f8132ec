package guards_test

// guard is something without which money or stock would go wrong one day.
type guard struct {
	patch string // takes it out; its file without the ending
	pkg   string // has the test that has to fail
	test  string // that and a subtest, as for -run
	why   string // what nobody would miss, in words that follow "nobody missed that"
}

// Where two guards stand behind each other, there is a patch for each with the test of that
// one, or one patch for both, which says so.
var guards = []guard{
	// What an account has.
	{"floor-in-code", "ledger", "TestMoves/sqlite", "an account gives more than it has"},
	{"floor-in-schema", "ledger", "TestTheSchemaRefusesWhatIsWrong/sqlite", "a defect of the engine can write a balance below its floor"},
	{"floor", "ledger", "TestAnAccountIsNotOverdrawn/sqlite", "both floors are gone: fifty draw on what suffices for twenty"},
	{"account-locks", "ledger", "TestReplicasDontOverdraw/mariadb", "balances are read without FOR UPDATE, and the unique numbers that stand behind the locks are gone too"},
	{"numbers-in-schema", "ledger", "TestTheSchemaRefusesWhatIsWrong/sqlite", "two transfers have one number in the account that they leave"},
	{"numbers-in-schema-of-credit", "ledger", "TestTheSchemaRefusesWhatIsWrong/sqlite", "two transfers have one number in the account that they come to"},
	{"lock-order", "ledger", "TestReplicasNeverWaitInACircle", "accounts are locked in any order"},
	{"time-under-locks", "ledger", "TestTimesAreInTheOrderOfNumbers/mariadb", "a transfer has the time before its accounts were locked, and a later number than one with a later time"},
	{"hold-once-in-code", "ledger", "TestHolds/sqlite", "a hold that ends again isn't refused as such"},
	{"hold-once-in-schema", "ledger", "TestTheSchemaRefusesWhatIsWrong/sqlite", "a hold can end twice"},
	{"same-id", "ledger", "TestSendingAgainIsHarmless/sqlite", "a transfer that is sent again is done again"},
	{"late-batch", "ledger", "TestALateCommitIsSealed/mariadb", "a batch that commits late has no seal and is in no account"},
	{"seal-mac", "ledger", "TestTheChainFindsWhatWasChanged/sqlite", "a seal needs no key"},
	{"wallet-owner", "pay", "TestWalletsOfOthersAreNotThere/sqlite", "an order is paid out of somebody else's wallet"},

	// What is asked twice.
	{"once-key", "kit/database", "TestOnce/sqlite", "a key is good twice"},
	{"order-key", "shop", "TestOneFormIsOneOrder/sqlite", "an order's key is good twice, as far as looking it up and its row go"},
	{"taken-again", "shop", "TestReplicasKnowAKey/mariadb", "who comes second with a key at another replica is told of a defect"},
	{"one-payment", "pay", "TestANewOrderIsChargedOnce/sqlite", "an order is charged twice: neither looked up nor unique"},
	{"topup-once", "pay", "TestNewsOfMoneyIsCreditedOnce/sqlite", "news of a top-up that come twice are credited twice"},
	{"topup-reference", "pay", "TestNewsOfMoneyIsCreditedOnce/sqlite", "one payment of a provider's is credited to two top-ups"},
	{"first-wallet", "pay", "TestTheFirstSaleMakesAWallet/mariadb", "who sells twice at once has two default wallets"},
	{"refund-reference", "pay", "TestTheSchemaRefusesWhatIsWrong/sqlite", "two refunds have one reference"},
	{"release-reference", "pay", "TestTheSchemaRefusesWhatIsWrong/sqlite", "two releases have one reference"},

	// What may follow what.
	{"order-state", "shop", "TestAnOrderEndsOnce/sqlite", "an order that has ended is ended again"},
	{"order-lock", "shop", "TestReplicasEndAnOrderOnce/mariadb", "two replicas end one order at once"},
	{"close-before-release", "shop", "TestDeadline/sqlite", "stock is free before the payment is closed"},
	{"closed-unasked", "pay", "TestAnOrderIsClosedBeforeAnybodyAsked/sqlite", "an order that was closed before pay heard of it is paid"},
	{"captured-amount", "shop", "TestWrongAmountIsNotPaid/sqlite", "an order is paid with another amount"},
	{"shipment-state", "shop", "TestManyHandsOnOneStep/sqlite", "a shipment takes a step from any state"},
	{"refund-state", "shop", "TestManyHandsOnOneStep/sqlite", "a refund takes a step from any state: neither those before it nor the one that was read is asked for"},
	{"one-open-refund", "shop", "TestManyHandsOnOneStep/sqlite", "a shipment has two refunds that wait for an answer"},
	{"one-shipment-in-schema", "shop", "TestTheSchemaRefusesWhatIsWrong/sqlite", "a seller has two shipments of one order"},
	{"shipment-refunded-in-schema", "shop", "TestTheSchemaRefusesWhatIsWrong/sqlite", "more than a shipment's share can be written as granted to the buyer"},
	{"shipment-released-in-schema", "shop", "TestTheSchemaRefusesWhatIsWrong/sqlite", "more than a shipment's share can be written as due to the seller"},
	{"last-shipment-lock", "shop", "TestLastShipmentsEndAtOnce/mariadb", "of two last shipments neither sees the other end"},
	{"product-version", "shop", "TestChangeProduct/mariadb", "of two changes of one version of a product the second takes back the first"},
	{"payment-state", "pay", "TestWhatIsCapturedStaysCaptured/sqlite", "a captured payment is closed"},
	{"payment-expiry", "pay", "TestTimePassesWhileAPaymentIsTaken/sqlite", "a payment is captured after its time"},
	{"share-counters", "pay", "TestRefundsAndReleasesRaceForAShare/mariadb", "refunds and releases take a share twice"},
	{"share-counters-in-schema", "pay", "TestTheSchemaRefusesWhatIsWrong/sqlite", "more than a share can be written as refunded and released"},

	// Who else is at work.
	{"buyers-lock", "shop", "TestReplicasCountOpenOrdersTogether/mariadb", "two replicas count a buyer's orders side by side"},
	{"cart-lock", "shop", "TestReplicasBuyACartOnce/mariadb", "two replicas sell one cart"},
	{"job-lease", "kit/job", "TestLateEndsAmongOthers/sqlite", "who comes too late ends the job of another one"},
	{"read-committed", "kit/database", "TestATransactionSeesWhatIsCommitted/mariadb", "a transaction reads what was true when it began"},
	{"silent-transaction", "kit/database", "TestATransactionThatSaysNothingIsTakenBack/mariadb", "a transaction of a host that is gone keeps its locks"},

	// What was begun.
	{"topup-job", "pay", "TestATopUpThatNobodyAsksForAgainIsCollected/sqlite", "a top-up whose process died stays half way"},
	{"payment-job", "pay", "TestAHoldEnds/sqlite", "what is held for a payment that nobody asks for again stays held"},
	{"order-job", "shop", "TestDeadline/sqlite", "an order that nobody pays keeps its pieces"},
	{"late-money", "shop", "TestLateMoneyGoesBack/sqlite", "money that was taken for a canceled order stays"},
	{"own-pauses", "pay", "TestTheMarketsOwnHearSoon/sqlite", "money that came late waits for minutes because the shop or pay was being started again"},

	// How much may be asked for, and of whom.
	{"open-orders", "shop", "TestOpenOrdersAreLimited/sqlite", "a buyer keeps any number of orders open"},
	{"scarce-deadline", "shop", "TestScarceGoodsMustBePaidSoon/sqlite", "the last pieces are held as long as any others"},
	{"private-address", "pay/webhook", "TestPrivateAddressesAreRefused", "a webhook is sent to an address of the operator's own network"},

	// What was answered.
	{"sqlite-synchronous", "kit/database", "TestDurable/sqlite", "SQLite answers before its commit is on disk"},
	{"server-flush", "kit/database", "TestDurable/mariadb", "a server that answers before its commit is on disk passes for durable"},
	{"unknown-commit", "kit/database", "TestConnectionLostWhileCommittingIsUnknown", "a COMMIT without an answer is run again"},
	{"unlisted-commit", "kit/database", "TestNoFaultIsTakenForAnother", "a COMMIT that failed at something that isn't known is said to have done nothing"},
	{"late-commit", "kit/database", "TestACommitWhoseTimeIsOverIsUnknown", "a COMMIT that failed when its time was over is said to have done nothing"},
	{"request-left", "kit/rest", "TestARequestThatLeftOnceMayHaveBeenDone", "a call that was sent twice is said to have never left when only its second sending failed"},
	{"broken-transaction", "ledger", "TestNothingGoesOnAfterADeadlock", "the ledger goes on after a deadlock has ended its transaction"},
	{"payment-deadlock", "pay", "TestAPaymentThatMeetsADeadlockStillEnds", "a payment's job is removed after a deadlock has ended the transaction"},
	{"unknown-batch", "kit/commit", "TestUnknownIsNotTriedAgain", "a batch whose COMMIT had no answer is written again in halves"},

	{"transaction-rows", "kit/commit", "TestATransactionIsBounded", "a transaction's statements are longer than a server takes"},

	// What is compared.
	{"findings-grace", "shop", "TestAMarketThatRunsHasNoFindings/sqlite", "what is merely under way between shop and pay is a finding"},

	// Who says so.
	{"webhook-signature", "pay/payclient", "TestWebhooksAreBelievedOrNot", "anybody can tell the shop that it is paid"},
	{"token-audience", "auth/authguard", "TestBearerRefusals", "a token for another module opens this one"},
}
