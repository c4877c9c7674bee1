"""The ledger as workers and operators use it: claims, commits under a fence, Redis' own file."""
