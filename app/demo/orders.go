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

// carts are what buyers have not bought yet.
var carts = []purchase{
	{buyer: "buyer1", items: []item{{"kite", 1}, {"blueberries", 2}, {"candle", 1}}},
	{buyer: "buyer3", items: []item{{"palette", 1}, {"yarn", 2}}},
}
