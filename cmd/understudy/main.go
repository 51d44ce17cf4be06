// Command understudy gives staging a masked stand-in for production.
package main

func main() {}
