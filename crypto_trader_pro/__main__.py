"""`python -m crypto_trader_pro`."""

from crypto_trader_pro.cli.entry import main

if __name__ == "__main__":
    main()
