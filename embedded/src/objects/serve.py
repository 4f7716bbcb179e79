"""moto's S3 on a port of 127.0.0.1, with one bucket and one key that may do everything in it.

Requests are answered one after another: moto looks at a condition and then writes, and in between another thread could
write, where a real store decides both in one step.
"""

import os
import sys

folder, port, bucket, key, secret = sys.argv[1:]

with open(os.path.join(folder, "pid"), "w") as note:
    print(os.getpid(), file=note)
log = os.open(os.path.join(folder, "server.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.dup2(log, 1)
os.dup2(log, 2)
# Every request must be signed, and with the right secret. moto reads this when it is imported.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"

from threading import Lock

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'

accounts = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
accounts.create_user("us-east-1", "tributary")
accounts.put_user_policy("tributary", "everything", EVERYTHING)
ours = accounts.create_access_key("tributary")
ours.access_key_id, ours.secret_access_key = key, secret
s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(bucket, "us-east-1")

s3 = create_backend_app("s3")
turn = Lock()


def one_after_another(environ, start_response):
    # A space in a query may be written as +, which moto's check of signatures takes for itself.
    environ["QUERY_STRING"] = environ["QUERY_STRING"].replace("+", "%20")
    with turn:
        return list(s3(environ, start_response))


server = make_server(
    "127.0.0.1", int(port), one_after_another, threaded=True, request_handler=MotoRequestHandler
)
with open(os.path.join(folder, "ready"), "w"):
    pass
server.serve_forever()
