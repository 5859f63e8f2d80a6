"""Both senders behind one seam, tested over real sockets on loopback."""
