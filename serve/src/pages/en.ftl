# Every text of the pages, in English.

## Around every page
skip = Skip to the content
nav-label = Main
nav-overview = Overview
nav-traffic = Traffic
nav-conversions = Conversions
nav-rates = Rates
nav-balance = Balance
nav-links = Links
nav-campaigns = Campaigns
nav-program = Program
nav-partners = Partners
nav-matches = Matches
nav-decisions = Rate decisions
nav-models = Models
sign-out = Sign out

## What goes wrong
fault-home = Go to the start
fault-nothing = There is nothing here
fault-nothing-what = The page does not exist, or you may not see it. Check the address, or go back to the start.
fault-not-allowed = This is not yours to do
fault-not-allowed-what = Your role does not allow this. Ask an administrator of the program if it should.
fault-forged = The form has expired
fault-forged-what = The form was made by another session or another site. Go back, load the page again and send it once more.
fault-form = That did not work
fault-form-what = The form cannot be read: { $why }. Go back and fill it in again.
fault-too-often = Too many tries
fault-too-often-what = Wait { $minutes ->
    [one] 1 minute
   *[other] { $minutes } minutes
} and try again.
fault-broken = Something failed on our side
fault-broken-what = It is not your fault, and nothing was changed. Try again in a minute.
form-fault = { $field }: { $detail }

## Signing in
sign-in-title = Sign in
sign-in-email = E-mail address
sign-in-password = Password
sign-in-button = Sign in
sign-in-hint = Forgot the password? Ask the people who run the program for a sign-in link.
sign-in-refused = The e-mail address or the password is wrong. Try again, or ask for a sign-in link.
sign-in-link-what = This link signs you in once.
sign-in-link-refused = This link was used already, or is too old. Ask for another one.

## Words that several pages use
day = Day
when = When
what = What
why = Why
id = Id
order = Order
status = Status
worth = Worth
clicks = Clicks
conversions = Conversions
impressions = Impressions
commission = Commission
commission-30 = Commission, 30 days
conversion-rate = Converted
campaign = Campaign
currency = Currency
link = Link
made = Made
rate = Rate
since = Since
until = until
score = Score
from-day = From
to-day = To
show = Show
save = Save
any = Any
older = Older ones
export = Save as CSV
copy = Copy
copied = Copied
dismiss = Dismiss
invite = Invite

## Overview
overview-today = Today
overview-live = live
overview-as-of = As of
trend-title = Last 30 days
trend-clicks = Clicks by day
trend-earned = Commission by day
trend-table = The numbers behind the pictures
trend-caption = By day, newest first
chart-clicks = Clicks by day over 30 days, { $count } in all
chart-earned = Commission by day over 30 days, { $sum } in all
affiliate-pending = Your application is being looked at. Your links work, and what they bring counts from your approval on.
affiliate-suspended = You are suspended for now: your links lead to a fallback page and earn nothing. Ask the people who run the program.
affiliate-rejected = Your application was turned down. Ask the people who run the program.

## Traffic
traffic-title = Where your clicks come from
traffic-by = Broken down by
traffic-by-campaign = Campaign
traffic-by-page = Landing page
traffic-by-sub = sub{ $number }
traffic-none = (none)
traffic-more = { $count ->
    [one] One more is
   *[other] { $count } more are
} in the CSV file.
traffic-no-day = “{ $text }” is not a day. Write it as 2026-01-31.
traffic-backwards = The first day is after the last one. Swap them.
traffic-too-long = At most 400 days are shown at once. Choose a shorter time.
traffic-empty = No clicks in this time
traffic-empty-what = Clicks appear here a second after they happen, with what they bring. Share a link, or choose another time.
traffic-empty-do = Make a link

## Conversions
conversions-title = Conversions
conversions-caption = What you have credit for, newest first
conversions-empty = No conversions yet
conversions-empty-what = When somebody who clicked your link buys something, it appears here with your share and how your commission was computed.
status-received = Received
status-pending = Pending
status-approved = Approved
status-rejected = Rejected
status-on-hold = On hold
status-reversed = Reversed
reason-refund = the customer got the money back
reason-chargeback = the card's holder took the money back
reason-duplicate = it was reported twice
reason-fraud = it was not genuine
reason-terms = it was against the campaign's terms
reason-tracking = it was reported by mistake
reason-test = it was a test
reason-other = another reason
your-part = Your part of the credit
credit-title = How the credit was shared
credit-what = Whatever is missing to 100 % belongs to partners who also led to this sale.
credit-caption = Your touches on the way to it
credit-model = Shared by
touched = Touched
share-coupon = a coupon
share-link = link
computed-title = How your commission was computed
correction = correction
upline = from an affiliate whom you recruited
commission-accrued = Accrued
commission-payable = Payable
commission-paid = Paid
waits-approval = It becomes payable when the conversion is approved.
waits-customer = It becomes payable if the customer stays until { $until }.
waits-customer-stay = It becomes payable when the customer has stayed long enough.
moves-title = What became of it

## Rates
rates-title = What you are paid
rates-empty = You take part in no campaign yet
rates-empty-what = Join a campaign to see what it pays you, why, and what would raise it.
rate-now = Now
rate-none = No terms hold yet.
rate-other-terms = by other terms
rate-own = These are your own terms.
rate-next = { $rate } from { $from } on
rate-model = By the predictions of
rate-final-after = Commissions are final when the customer has stayed { $days ->
    [one] 1 day
   *[other] { $days } days
}.
rate-raise = What would raise it
rate-bounds = What was agreed
rate-announced = Announced
rate-history = How it has been
rate-no-history = Nothing has changed so far.
bound-floor = Never less than
bound-cap = Never more than
bound-step = Largest step
bound-period = Moves at most once in
bound-notice = You are told before
bound-days = { $count ->
    [one] 1 day
   *[other] { $count } days
}
advice-agreed = People agreed on this rate; it does not move by itself. Talk to the people who run the program about another one.
advice-at-cap = It is { $cap } already, which is the most that was agreed.
advice-value = Bring customers who buy again and keep what they buy: the rate follows what they are worth over time.
advice-uncertainty = Keep going: the more sales there are, the surer the prediction, and the less is held back for doubt.
advice-fraud = Fewer sales that turn out not to be genuine. Look at which sub-ids are rejected, and stop that traffic.
advice-quality = Content that brings visitors who know what they want.
advice-elasticity = A higher rate was found to bring few more sales. New audiences would change that.
advice-churn = Customers who stay: many of them leave early.
advice-step = Time: the rate moves in steps that were agreed, and goes on in the same direction.
advice-budget = The campaign's budget is nearly spent. Talk to the people who run the program.
advice-notice = A change is announced already, and takes effect by itself.

## Balance
balance-title = Balance
balance-empty = Nothing earned yet
balance-empty-what = What you earn appears here at once, and moves from accrued to payable when a conversion is approved.
balance-accrued = Accrued
balance-accrued-what = Waits for the conversion's approval
balance-held = On hold
balance-held-what = People are looking at the conversion
balance-payable = Payable
balance-payable-what = Yours, to be paid next
balance-paid = Paid
balance-paid-what = Paid out so far
staying-title = Waits for customers to stay
held-title = On hold
held-why = Something about it looked unusual, so that people look at it before it counts. That takes a few days at most as a rule. Should they ask you something, or should you want to answer, it goes by the API's appeals for now.

## Links
links-title = Links
links-count = { $count ->
    [one] 1 link
   *[other] { $count } links
}, newest first
links-left = (you have left it)
link-new = New link
link-campaign = Campaign
link-choose = choose one that you take part in
link-landing = Landing page
link-landing-hint = Any page on a host of the campaign; its own landing page when empty.
link-code = Short code
link-code-hint = 1 to 20 letters, digits, _ and -; made up when empty.
link-more = UTM parameters and sub-ids
link-make = Make a link
link-made = The link is ready.
link-no-campaign = Links lead into campaigns. Join one first.
link-url = Address
link-leads-to = Leads to
link-picture = Counting how often it is shown
link-picture-what = Put this invisible picture beside the advertisement.
link-qr = QR code
link-qr-alt = QR code of the link's address
link-qr-save = Save the picture

## Campaigns
campaigns-title = Campaigns
campaigns-suit = For you
campaigns-basis = Chosen
campaigns-none = Nothing new suits you right now. Come back when there are new campaigns.
campaigns-join = Join
campaigns-joined = You take part in { $name } now. Make a link to begin.
campaigns-dismissed = It will not be shown again.
campaigns-not-open = { $name } is not open to you. Ask the people who run the program.
campaigns-mine = You take part in
campaigns-mine-none = None yet.
campaign-active = Active
campaign-paused = Paused
campaign-ended = Ended

## Settings
settings-title = Settings
settings-done = It is saved.
settings-written = Numbers and times
settings-locale = Language of numbers
settings-locale-hint = Such as en, de or fr-CH; as your browser asks for when empty.
settings-zone = Time zone
settings-sample = Now it looks like this:
settings-no-locale = “{ $locale }” is no language that numbers are known for. Write it as en, de or fr-CH.
settings-no-zone = “{ $zone }” is no time zone. Choose one of the list, such as Europe/Berlin.
settings-password = Password
settings-current = Current password
settings-new = New password
settings-again = New password again
settings-password-hint = At least 12 characters. A few words that only you would put together are best. Other devices are signed out.
settings-wrong-password = The current password is wrong.
settings-short-password = The new password needs at least { $count } characters.
settings-other-password = The two new passwords differ. Type them again.

## The team
program-title = The program
program-affiliates = Approved partners
program-pending = Applications
program-campaigns = Active campaigns
program-held = Conversions on hold
program-owed = Payable
program-best = Who brings most
program-all = All partners
partner = Partner
partners-caption = Those with the most conversions first
partners-search = Name or e-mail
partners-none = Nobody is like that. Search for something else.
partners-cut = There are more. Search for whom you mean.
partner-pending = Applied
partner-approved = Approved
partner-suspended = Suspended
partner-rejected = Rejected
partner-website = Website
partner-traffic = Traffic
partner-content = Content
partner-country = Country
partner-since = Applied
partner-campaigns = Takes part in
partner-no-campaigns = None yet.
matches-title = Campaigns
matches-what = Choose one to see which partners suit it, and why.
matches-none = There is no campaign yet. Make one with the API.
match-title = Partners who suit it
match-by-model = By { $model } { $version }
match-by-records = By the records
match-unit = Scores are
match-trial = a trial
match-new = new
match-none = Nobody who is free suits it. Take away a filter, or come back later.
match-no-kind = Say whether to invite or to dismiss.
match-invited = Invited: the partner takes part from now on.
match-dismissed = Dismissed: it is in no list any more.
decisions-title = Decisions about rates
decisions-what = Live decisions take effect after the notice that was agreed; shadows are recorded and change nothing.
decisions-none = No decisions yet
decisions-none-what = Run tributary-train policy and send its decisions to the API; they appear here with their reasons.
decisions-caption = Newest first
decision-change = Change
decision-mode = Effect
decision-shadow = Shadow
decision-live = Live
model = Model
models-caption = What serves now
models-none = No models
models-none-yet = The registry is empty. Train one with tributary-train, and promote it.
models-no-registry = This service has no registry of models. Start it with --registry.
model-champion = Champion
model-challenger = Challenger
model-nobody = none
model-serves = version { $version }
model-differs = version { $named } is named, { $serves } serves
model-versions = Versions
model-version = Version
model-family = Family
model-measures = How good it was
model-promote = Promote
model-promote-what = It proves itself first, and is refused when it is worse than the champion.
model-rollback = Roll back
model-rollback-what = Brings the champion back to the version before.
model-history = Every move
model-moved = { $alias }: { $from } → { $to }
model-why = Say why, in a sentence: { $detail }
