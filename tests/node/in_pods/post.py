"""Posts the second argument, a document, to the URL that is the first; prints status (0 without an answer) and answer as JSON.

Where the second argument is --junk, the document is as many bytes of no meaning as the third one says.
"""

import json
import sys

import httpx


def main() -> None:
    """Post and print."""
    document = b"\x00\xff[{" * (int(sys.argv[3]) // 4) if sys.argv[2] == "--junk" else sys.argv[2].encode()
    try:
        answer = httpx.post(sys.argv[1], content=document, timeout=20, trust_env=False)
        result = {"status": answer.status_code, "body": answer.json()}
    except (httpx.HTTPError, ValueError) as error:
        result = {"status": 0, "body": {"error": f"{type(error).__name__}: {error}"}}
    print(json.dumps(result))  # noqa: T201 (its output)


if __name__ == "__main__":
    main()
