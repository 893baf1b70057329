"""Reaching programs that have the vendor's address built in: a proxy of one run, and the certificate it shows."""
