"""Operations as code, over the API and on the command line."""
