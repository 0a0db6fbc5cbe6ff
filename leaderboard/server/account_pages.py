"""The pages of accounts: registering, logging in and out, tokens, passwords; and the administrator's."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select

from leaderboard.server import accounts, submissions
from leaderboard.server.accounts import AccountError, Wish
from leaderboard.server.models import Invitation, User
from leaderboard.server.rates import LOGINS, LOGINS_OF_ADDRESS, LOGINS_OF_NAME, REGISTRATIONS
from leaderboard.server.refusals import RefusedError
from leaderboard.server.web import INVITED, Form, Visit, Visitor, address, go, page, set_cookie

router = APIRouter(include_in_schema=False)
WRONG = "the user name or the password is wrong"
SLOWER = "too many attempts; wait some minutes"


@router.get("/login")
def login_page(visit: Visitor) -> Response:
    """The form to log in."""
    return page(visit, "login.html.jinja", problem="", name="")


@router.post("/login")
def login(visit: Visitor, form: Form) -> Response:
    """Log in; the browser gets a new cookie, whatever it had before."""
    server, name, place = visit.server, form.get("name", "").strip().lower()[:80], address(visit.request)
    keys = ((("login", place, name), LOGINS_OF_NAME), (("login", place), LOGINS_OF_ADDRESS))
    if not server.rates.count(
        *keys, (("any login", place), LOGINS)
    ):  # before it is known, so that guesses at once are counted too
        return page(visit, "login.html.jinja", 429, problem=SLOWER, name=name)
    with server.database.read() as session:
        user = accounts.find_user(session, name)
    with server.hashing:
        is_right = accounts.verified(user, form.get("password", ""))
    if user is None or not is_right:
        return page(visit, "login.html.jinja", 403, problem=WRONG, name=name)
    server.rates.forgive(*keys)
    return _let_in(visit, user)


def _let_in(visit: Visit, user: User) -> Response:
    server = visit.server
    with server.database.write() as session:
        accounts.close_session(session, visit.cookie)
        cookie = accounts.open_session(session, user, server.database.now(session))
    response = go("/submissions")
    set_cookie(response, server, cookie)
    return response


@router.post("/logout")
def logout(visit: Visitor, form: Form) -> Response:  # noqa: ARG001  # the form is checked
    """Log out: the cookie is worth nothing from now on."""
    with visit.server.database.write() as session:
        accounts.close_session(session, visit.cookie)
    response = go("/")
    response.delete_cookie(visit.server.cookie, path="/", secure=visit.server.settings.is_secure, httponly=True)
    return response


@router.get("/register")
def register_page(visit: Visitor) -> Response:
    """The form for an account."""
    return page(visit, "register.html.jinja", problem="", given={})


@router.post("/register")
def register(visit: Visitor, form: Form) -> Response:
    """Make an account, and log in."""
    server = visit.server
    if not server.rates.count((("register", address(visit.request)), REGISTRATIONS)):
        return page(visit, "register.html.jinja", 429, problem=SLOWER, given=form)
    wish = Wish(*(form.get(key, "") for key in ("name", "team", "password", "invitation")))
    try:
        if wish.password != form.get("again", ""):
            raise AccountError("the two passwords differ; write the same twice")
        registration = server.settings.registration
        with server.database.read() as session:
            accounts.check_wish(session, wish, registration, server.database.now(session))
        with server.hashing:
            hashed = accounts.hash_password(wish.password)
        user = server.database.change(
            lambda session: accounts.register(session, wish, hashed, registration, server.database.now(session))
        )
    except AccountError as error:
        return page(visit, "register.html.jinja", 400, problem=str(error), given=form)
    return _let_in(visit, user)


@router.get("/account")
def account(visit: Visitor) -> Response:
    """A user's tokens and password."""
    return _account(visit)


def _account(visit: Visit, status: int = 200, *, problem: str = "", token: str = "", done: str = "") -> Response:
    user = visit.require_user()
    with visit.server.database.read() as session:
        tokens = accounts.tokens_of(session, user)
    values = {"problem": problem, "token": token, "done": done}
    return page(visit, "account.html.jinja", status, tokens=tokens, **values)


@router.post("/account/tokens")
def make_token(visit: Visitor, form: Form) -> Response:
    """Make a token; this page is the only one that shows it."""
    user, database = visit.require_user(), visit.server.database
    try:
        with database.write() as session:
            token = accounts.new_token(session, user, form.get("label", ""), database.now(session))
    except AccountError as error:
        return _account(visit, 400, problem=str(error))
    return _account(visit, token=token)


@router.post("/account/tokens/remove")
def remove_token(visit: Visitor, form: Form) -> Response:
    """Remove a token."""
    user, number = visit.require_user(), form.get("token", "")
    if number.isdecimal() and len(number) < 10:
        with visit.server.database.write() as session:
            accounts.remove_token(session, user, int(number))
    return go("/account")


@router.post("/account/password")
def change_password(visit: Visitor, form: Form) -> Response:
    """Change the password; all browsers are logged out but this one, which gets another cookie. All tokens end."""
    user, server = visit.require_user(), visit.server
    if not server.rates.count((("login", address(visit.request), user.name), LOGINS_OF_NAME)):
        return _account(visit, 429, problem=SLOWER)
    try:
        if form.get("password", "") != form.get("again", ""):
            raise AccountError("the two new passwords differ; write the same twice")
        accounts.check_password(form.get("password", ""))
        with server.hashing:
            if not accounts.verified(user, form.get("old", "")):
                raise AccountError("the old password is wrong")
            hashed = accounts.hash_password(form.get("password", ""))
    except AccountError as error:
        return _account(visit, 400, problem=str(error))
    with server.database.write() as session:
        user = accounts.as_of_now(session, user)
        accounts.set_password(session, user, hashed)
    return _let_in(visit, user)


@router.get("/admin")
def admin(visit: Visitor) -> Response:
    """Users, invitations and submissions, for the administrator."""
    return _admin(visit)


def _admin(visit: Visit, *, link: str = "", status: int = 200, problem: str = "") -> Response:
    visit.require_admin()
    with visit.server.database.read() as session:
        users = session.scalars(select(User).order_by(User.id)).all()
        invitations = session.scalars(select(Invitation).order_by(Invitation.created.desc()).limit(100)).all()
        newest = submissions.all_of(session)
        now = visit.server.database.now(session)
    values = {"users": users, "invitations": invitations, "submissions": newest, "now": now}
    return page(visit, "admin.html.jinja", status, link=link, problem=problem, **values)


@router.post("/admin/invite")
def invite(visit: Visitor, form: Form) -> Response:
    """Make an invitation; this page is the only one that shows its link."""
    own, database = visit.require_admin(), visit.server.database
    with database.write() as session:
        own = accounts.as_of_now(session, own)
        is_admin = form.get("is_admin") == "yes"
        code = accounts.invite(session, form.get("note", ""), database.now(session), is_admin=is_admin, by=own)
    return _admin(visit, link=f"{INVITED}{code}")


@router.post("/admin/withdraw")
def withdraw(visit: Visitor, form: Form) -> Response:
    """Take an invitation back that nobody has used."""
    own = visit.require_admin()
    with visit.server.database.write() as session:
        accounts.as_of_now(session, own)
        accounts.withdraw(session, form.get("invitation", ""))
    return go("/admin")


@router.post("/admin/delete-user")
def delete_user(visit: Visitor, form: Form) -> Response:
    """Take a user's access away, and what the user published off the board."""
    own, database = visit.require_admin(), visit.server.database
    with database.write() as session:
        accounts.as_of_now(session, own)
        user = accounts.find_user(session, form.get("name", ""))
        if user is None or user.id == own.id:
            raise RefusedError("there is no such user to delete", 404)
        if accounts.delete_user(session, user, database.now(session)):
            submissions.board_changed(session)
    return go("/admin")


@router.post("/admin/withhold")
def withhold(visit: Visitor, form: Form) -> Response:
    """Take anybody's submission off the board."""
    own = visit.require_admin()
    with visit.server.database.write() as session:
        submissions.set_published(session, own, form.get("code", ""), False)
    return go("/admin")


@router.post("/admin/allow")
def allow(visit: Visitor, form: Form) -> Response:
    """Let its submitter publish what an administrator took off the board."""
    own = visit.require_admin()
    with visit.server.database.write() as session:
        submissions.allow(session, own, form.get("code", ""))
    return go("/admin")


@router.post("/admin/score-again")
def score_again(visit: Visitor, form: Form) -> Response:
    """Put a submission back into the queue that was refused, or has faults that may be the server's."""
    own = visit.require_admin()
    with visit.server.database.write() as session:
        submissions.score_again(
            session, submissions.find_own(session, accounts.as_of_now(session, own), form.get("code", ""))
        )
    return go("/admin")
