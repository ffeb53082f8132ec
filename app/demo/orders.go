package demo

import "jishi/shop/shopclient"

// purchases are in the order of time. They leave the cherries and the camera sold out.
var purchases = []purchase{
	{"buyer1", 12, []item{{"apple", 2}, {"honey", 1}, {"croissant", 2}}, shopclient.Paid},
	{"buyer2", 11, []item{{"teapot", 1}, {"longjing", 1}, {"chair", 2}}, shopclient.Paid},
	{"buyer3", 10, []item{{"headphones", 1}}, shopclient.Paid},
	{"buyer4", 9, []item{{"backpack", 1}, {"compass", 1}}, shopclient.Paid},
	{"buyer5", 9, []item{{"notebook", 1}, {"crayon", 1}}, shopclient.Paid},
	{"buyer1", 8, []item{{"bear", 1}, {"cake", 1}, {"juice", 1}}, shopclient.Paid},
	{"buyer5", 7, []item{{"sofa", 1}}, shopclient.Canceled},
	{"seller2", 6, []item{{"eggs", 2}, {"strawberry", 3}}, shopclient.Paid},
	{"buyer2", 6, []item{{"tent", 1}, {"boots", 1}, {"coffee", 2}}, shopclient.Paid},
	{"buyer3", 5, []item{{"cherries", 1}, {"rice", 1}, {"pan", 1}}, shopclient.Paid},
	{"buyer4", 4, []item{{"laptop", 1}}, shopclient.Canceled},
	{"buyer1", 3, []item{{"keyboard", 1}, {"mouse", 1}, {"plant", 2}}, shopclient.Paid},
	{"seller4", 3, []item{{"chess", 1}, {"mate", 1}}, shopclient.Paid},
	{"buyer2", 2, []item{{"camera", 1}, {"mango", 1}}, shopclient.Paid},
	{"seller5", 2, []item{{"cookies", 2}, {"tumbler", 1}, {"puzzle", 1}}, shopclient.Paid},
	{"buyer3", 1, []item{{"cherries", 1}, {"mooncakes", 1}}, shopclient.Paid},
	{"buyer4", 0, []item{{"headphones", 1}, {"bulbs", 1}}, shopclient.Pending},
	{"buyer5", 0, []item{{"bear", 1}, {"puzzle", 1}}, shopclient.Pending},
}

// deeds are what became of the purchases, by their place above and the seller. None has been
// on its way for so long that it is received by itself.
var deeds = []deed{
	{11, 0, "seller1", sent("顺丰速运 SF Express")},
	{11, 0, "seller2", sent("京东物流 JD Logistics")},
	{10, 1, "seller2", sent("顺丰速运 SF Express")},
	{9, 0, "seller1", received},
	{9, 1, "seller3", sent("德邦快递 Deppon")},
	{9, 2, "seller4", sent("顺丰速运 SF Express")},
	{8, 0, "seller2", received},
	{8, 3, "seller5", sent("中通快递 ZTO")},
	{8, 4, "seller3", sent("圆通速递 YTO")},
	{7, 1, "seller2", received},
	{7, 5, "seller2", givenBack("蛋糕在装箱时碰坏了，抱歉。 The cake was damaged while packing. Sorry!")},
	{7, 5, "seller3", sent("德邦快递 Deppon")},
	{6, 2, "seller4", received},
	{5, 3, "seller5", received},
	{5, 7, "seller1", sent("京东物流 JD Logistics")},
	{5, 8, "seller5", sent("顺丰速运 SF Express")},
	{4, 3, "seller5", asked("15.00", "指南针的盖子有划痕。 The compass has a scratch on its lid.")},
	{4, 8, "seller2", sent("中通快递 ZTO")},
	{4, 9, "seller1", sent("顺丰速运 SF Express")},
	{3, 3, "seller5", granted},
	{3, 7, "seller1", received},
	{3, 9, "seller3", sent("德邦快递 Deppon")},
	{2, 1, "seller3", received},
	{2, 11, "seller4", sent("顺丰速运 SF Express")},
	{2, 12, "seller3", sent("圆通速递 YTO")},
	{1, 11, "seller3", asked("", "下错单了，请退款。 Ordered by mistake, please refund.")},
	{1, 13, "seller4", sent("顺丰速运 SF Express")},
	{1, 14, "seller2", asked("20.00", "曲奇碎了一半。 Half of the cookies are broken.")},
	{0, 14, "seller2", refused("还没有发货，曲奇是完好的。 They haven't been shipped yet and are whole.")},
}

// carts are what buyers have not bought yet.
var carts = []purchase{
	{buyer: "buyer1", items: []item{{"kite", 1}, {"blueberries", 2}, {"candle", 1}}},
	{buyer: "buyer3", items: []item{{"palette", 1}, {"yarn", 2}}},
}
