# Every text of the pages, in English.

## Around every page
skip = Skip to the content
nav-label = Main
nav-overview = Overview
nav-traffic = Traffic
nav-conversions = Conversions
nav-holds = On hold
nav-rates = Rates
nav-balance = Balance
nav-links = Links
nav-campaigns = Campaigns
nav-connections = API
nav-program = Program
nav-partners = Partners
nav-matches = Matches
nav-decisions = Rate policy
nav-cases = Cases
nav-rings = Rings
nav-rules = Rules
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
upload-too-large = with its file it has more than { $limit }; a picture of a banner has at most 300 KiB
fault-too-often = Too many tries
fault-too-often-what = Wait { $minutes ->
    [one] 1 minute
   *[other] { $minutes } minutes
} and try again.
fault-address = This address cannot be read
fault-address-what = Something in it is not what this page takes, or is there twice. Go back, or begin at the start.
fault-method-what = What was sent is not taken at this address. Go back, load the page again and send it once more.
fault-slow = That took too long
fault-slow-what = It was given up after half a minute. Look whether it was done before you try again.
fault-broken = Something failed on our side
fault-broken-what = It is not your fault, and nothing was changed. Try again in a minute.
form-fault = { $field }: { $detail }

## Signing in
sign-in-title = Sign in
sign-in-email = E-mail address
sign-in-password = Password
sign-in-button = Sign in
sign-in-hint = Forgot the password? Ask the people who run the program for a sign-in link.
sign-in-ask = Forgot the password, or have none? Get a sign-in link by e-mail.
sign-in-refused = The e-mail address or the password is wrong. Try again, or ask for a sign-in link.
sign-in-link-what = This link signs you in once.
sign-in-link-refused = This link was used already, or is too old. Ask for another one.
ask-link-title = Get a sign-in link
ask-link-what = We send you a link that signs you in once, within { $span }. Your password stays as it is.
ask-link-button = Send the link
ask-link-back = Sign in with a password
ask-link-done = We have sent a link if we know that address. It works once, within { $span }.

## The letter with a sign-in link
letter-subject = Your sign-in link for Tributary
letter-what = This link signs { $email } in to Tributary, once:
letter-until = It works within { $span }. Open it and press the button there.
letter-unexpected = If you did not expect this message, ignore it: only who has the link can use it, so pass it on to nobody.

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
choose = Choose
cancel = Cancel
yes = Yes
no = No
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
traffic-by-material = Material
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
others-title = What other models would have said
others-what = What the whole order would earn you by today's terms. The campaign divides by the one that is in force; the others change nothing.
others-incomplete = Something may be missing:
others-caption = Your part by each model
others-earns = You would earn
others-does = What it does
others-in-force = in force
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
held-below = earned by a partner below you, who sees why
held-why = Something about it looked unusual, so that people look at it before it counts. That takes a few days at most as a rule. Why it is held, and a form to answer, appear on its page within two days.

## On hold and turned down
holds-title = On hold or turned down
holds-what = Why something is held is told once a day, a day after it was held at the earliest, unless somebody asks you about it.
holds-caption = Newest first
holds-none = Nothing is on hold or was turned down
holds-none-what = Should a conversion look unusual, people look at it before it counts. It appears here with the reason, and with a form to answer.
appeal-title = Why, and your answer
appeal-question = You were asked
appeal-asked = you were asked
appeal-possible = You can answer once, with whatever shows that it is honest.
appeal-over = It can be answered no more.
appeal-until = Until
appeal-waits = You have answered. It is decided by { $until } at the latest.
appeal-granted = You have answered, and were right: it goes its way.
appeal-declined = You have answered. People have looked at it, and it stays turned down.
appeal-evidence = What shows that it is honest
appeal-evidence-hint = Where the customer came from, and how you know. You can answer once, with 4,000 characters at most.
appeal-links = Pages that show it
appeal-links-hint = Ten addresses at most, each on a line of its own.
appeal-links-many = At most { $most } pages are taken. Leave out the others.
appeal-link = “{ $link }”
appeal-send = Send the answer
appeal-done = Your answer has arrived. People look at it now.
appeal-yours = What you wrote

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

## What campaigns are advertised with
materials-title = Materials
materials-what = Banners, texts and letters for partners. Partners copy them with their own link, and clicks tell which one brought them.
materials-none = There is nothing yet. Add a banner, a text or a letter.
materials-count = { $count ->
    [one] 1 material, newest first
   *[other] { $count } materials, newest first
}
materials-mine-what = Copy what you like: your link is in it already, and under Traffic you see which of them brings clicks.
materials-mine-none = This campaign has no materials yet. Use your link as it is.
material-no-link = Make a link into this campaign first; it is put into every material.
material-new = New material
material-kind = Kind
material-kind-banner = Banner
material-kind-text = Text
material-kind-mail = Letter
material-name = Name
material-text = Text
material-text-hint = Write {"{link}"} where the partner's link is to stand. Of a banner, write what its picture says.
material-image = Picture
material-image-hint = For banners: PNG, JPEG, GIF or WebP, at most 300 KiB and 4096 pixels wide and high.
material-size = { $width } × { $height } pixels
material-add = Add
material-added = Added. Partners of the campaign can use it.
material-retire = Retire
material-retired = Retired. Partners find it no more; where it is shown already it stays.
material-preview = Preview
material-code = To copy

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
tier-bronze = Bronze
tier-silver = Silver
tier-gold = Gold
worth-title = What the partner is worth
worth-none = Nobody has said it yet. The job that ranks partners does, and its file values.json is sent here.
worth-tier = Tier
worth-before = before:
worth-conversion = A conversion is worth (nine of ten)
worth-click = A click is worth (nine of ten)
worth-return = Comes back for each unit of commission (nine of ten)
worth-why = Why
worth-gives = The tier gives
worth-since = Said
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
alike-title = Like its best partners
alike-what = Partners who have nothing to do with this campaign yet, but much in common with those who bring it most.
alike-none = Nobody who is free is like them.
matching-unknown = Nothing is known of that:
alike-share = { $share } alike
alike-like = Like { $names }.
gaps-title = Where partners are missing
gaps-what = What more campaigns ask for than partners serve: whom to recruit next.
gaps-none = Every segment that campaigns ask for is served.
gaps-segment = Segment
gaps-campaigns = Campaigns that ask for it
gaps-partners = Partners who serve it
gaps-missing = Missing
gaps-recruit = Best with
compare-link = Whom other models of attribution would credit
compare-title = Models of attribution compared
compare-what = How each model would have divided the credit for the campaign’s conversions between its partners, in conversions and in what is left of their amounts. The one in force divides; the others change nothing. Counted are conversions that are pending, approved or on hold.
compare-caption = Conversions, what they are worth, and the difference to the model in force
compare-last = Last { $count } days
compare-counted = { $count ->
    [one] 1 conversion was divided.
   *[other] { $count } conversions were divided.
}
compare-cut = There are more: only the { $most } that were taken in last are divided. Choose a shorter time for the others.
compare-untouched = { $count ->
    [one] 1 more is left out: nobody touched its customer within the campaign’s window.
   *[other] { $count } more are left out: nobody touched their customers within the campaign’s window.
}
compare-incomplete = { $count ->
    [one] The clicks of 1 are not kept any more: only the touches that were credited are known of it.
   *[other] The clicks of { $count } are not kept any more: only the touches that were credited are known of them.
}
compare-degraded = The model that has learned is missing: { $why }.
compare-nobody = Nobody: would have happened anyway
compare-total = In all
compare-lines = { $count ->
    [one] One more partner is
   *[other] { $count } more partners are
} in the CSV file.
compare-models = What each model does
compare-empty = Nothing to divide in this time
compare-empty-what = When somebody who clicked partners’ links converts, each model’s division of the credit stands here beside the others. Choose another time, or see which partners suit the campaign.
compare-empty-do = Partners who suit it
policy-title = The policy of rates
policy-decisions = Every decision, live and in the shadow
proposals-title = Proposed
proposals-what = The newest decision of a shadow about each partner and campaign, where it would change something. What is approved is announced to the partner at once and holds after the notice that was agreed, all that is ticked together or nothing.
proposals-none = Nothing is proposed
proposals-none-what = Run tributary-train policy in the shadow and send its decisions to the API; those that would change a rate wait here.
proposals-caption = Newest first
proposals-cut = There are more. They appear when these are decided about.
proposal-tick = Approve
proposal-holds = Holds from, if approved now
proposal-bounds = { $floor } to { $cap }; at most { $step } in { $period }; told { $notice } before
proposal-refused = It cannot be approved: { $why }
proposal-approve = Approve with notice
proposal-approve-all = Approve all that can be
approval-done = Approved with notice: { $count ->
    [one] 1 rate
   *[other] { $count } rates
}.
approval-none = Tick what is to be approved.
approval-refused = Nothing was approved, because not all of it can be:
approval-refused-one = { $partner }, { $campaign }: { $why }
rate-flag-churn = customers leave
rate-flag-budget = over the budget
rate-flag-contract = outside the contract
rate-policy = Policy
shadows-title = Shadow results
shadows-what = What shadows decided in the last 30 days, and what conversions of these days earned beside what they would have earned at the rates of the policy's newest decisions, as far as these would have held and changed something.
shadows-none = No shadow has decided anything in the last 30 days.
shadows-caption = By policy, the one that decided last first
shadow-decisions = Decisions
shadow-up = Up
shadow-down = Down
shadow-unchanged = Unchanged
shadow-change = Mean change
shadow-flagged = Flagged
shadow-approved = Approved
shadow-earned = Earned
shadow-would-have = At its rates
current-title = Current
current-none = No partner has a contract about its rate. They are entered with the API.
current-caption = By campaign
current-partners = Partners with a contract
current-lowest = Lowest rate
current-median = Median
current-highest = Highest
current-announced = Announced changes
current-policy = Decided last by
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

## What may be fraud
why-model = The model finds the conversion unlike honest ones
why-ring = The partner hangs together with others
why-external = A provider outside speaks of fraud
why-by-hand = Somebody held it
family-traffic = Traffic
family-origin = Origin
family-identity = Identity
family-report = Report
family-check = Comparison
actor-key = { $name } (API key)
actor-partner = The partner
actor-system = Tributary
span-minutes = { $count ->
    [one] 1 minute
   *[other] { $count } minutes
}
span-hours = { $count ->
    [one] 1 hour
   *[other] { $count } hours
}
span-days = { $count ->
    [one] 1 day
   *[other] { $count } days
}

## Cases
cases-title = Cases
cases-caption = What is late first, then what a right decision saves most
cases-undecided = Not decided
cases-mine = Mine
cases-more = Show more
cases-all = Show all
cases-none = Nothing waits
cases-none-what = What decisions about fraud hold appears here, as long as they hold anything: the page of the rules says whether they do.
cases-none-so = No case is like that
cases-none-so-what = Take away a filter, or look at all that waits.
case-open = Open
case-in-review = Being looked at
case-waiting = Partner was asked
case-decided = Decided
case-proposed = second person
case-appealed = appeal
case-is-late = late
case-nobody = Nobody is credited
case-nobodys = Nobody
case-stakes = At stake
case-count = { $count ->
    [one] 1 conversion
   *[other] { $count } conversions
}
case-deadline = Open, and due
case-due = { $open }, due in { $left }
case-late = { $open }, late by { $left }
case-assignee = Looked at by
case-told = The partner is told
case-before = Previous
case-after = Next
case-decide = Decide
case-meanwhile = This happened since:
case-answers = What the partner answered
case-answer-waits = waits, due
case-answer-done = decided
case-conversions = Conversions
case-probability = Fraud is probable to
case-threshold = held from
case-by-hand = No decision held it, a person did.
case-evidence = Evidence
case-evidence-caption = What was known when it was decided
case-features = What the model found strange
case-ring = The partner’s ring
case-similar = Decided before for the same reason
case-timeline = What happened
case-zone = Times are in
case-forms = Decide and work
case-note = Note
case-reason = Reason
case-work = Work on it
case-read-only = You can read this. Fraud analysts and administrators decide.
case-second = A second person decides
case-second-what = So much hangs on it that somebody else confirms it.
case-second-own = You proposed it, so that somebody else has to confirm it. You can take it back.
evidence-value = Value
evidence-range = Usual, or limit
evidence-credit = Share in it
evidence-usual = usual { $usual }, limit { $limit }
evidence-limit = limit { $limit }
evidence-unknown = not known
evidence-empty = none
outcome-approve = Approved
outcome-reject = Turned down
outcome-reject-because = Turned down: { $why }
outcome-release = Held no more
outcome-elsewhere = Decided elsewhere
act-approve = Approve
act-approve-what = Nothing is wrong: the commissions become payable.
act-reject = Turn down
act-reject-what = The commissions are taken back. The partner may answer once.
act-release = Hold no more
act-release-what = It waits for the advertiser’s approval, as others do. Say why.
act-confirm = Confirm
act-refuse = Refuse
act-take-back = Take back
act-take = Look at it myself
act-leave = Leave it to others
act-comment = Note for whoever looks next
act-comment-do = Keep the note
act-ask = Question to the partner
act-ask-what = The partner reads it at once; the case waits for the answer.
act-ask-do = Ask
done-take = You look at it now.
done-leave = Nobody looks at it now.
done-comment = The note is kept.
done-ask = The partner was asked.
done-approve = Approved: its commissions are payable.
done-reject = Turned down: its commissions are taken back.
done-release = It is held no more.
done-confirm = Confirmed: it is decided.
done-refuse = The proposal is refused; it is undecided again.
done-proposed = So much hangs on it that a second person has to confirm it.
done-batch = All of them are decided.
done-batch-proposed = They are decided; those on which much hangs wait for a second person.
refused-stale = Something happened since you looked. Nothing was done, and what you wrote is still here: read what is new, and send it again.
refused-decided = It is decided already. Nothing was done.
refused-proposed = A decision waits for a second person already. Confirm or refuse that first.
refused-not-proposed = No decision waits for a second person any more.
refused-same-person = You proposed it yourself. Somebody else has to confirm it.
refused-reason = Choose a reason to turn it down.
refused-nobody = Nobody is credited with these conversions, so that there is nobody to ask.
batch-title = Decide those that are ticked
batch-tick = Tick
batch-tick-one = Choose the case of
batch-what = You see the sums before anything is done.
batch-outcome = Decision
batch-reason = Reason, to turn them down
batch-look = Look at the sums
batch-confirm = Decide all of these?
batch-do = Decide them
batch-none = Tick at least one case.
batch-no-outcome = Say what is to be decided.
batch-gone = Something happened to some that were ticked, so that they are left out here. Look at them by themselves.
batch-refused = Nothing was decided, because this stood against it:
batch-refused-one = { $case }: { $why }
happened-click = Clicked for { $order }, from { $from } · { $device } { $country } · { $agent }
happened-subs = · sub-ids { $subs }
happened-conversion = Converted: { $order }, { $amount }
happened-scored = Decided about { $order }: fraud is probable to { $probability }
happened-opened = Case opened with { $order }
happened-joined = { $order } joined the case
happened-assigned = Given to { $to }
happened-unassigned = Given to nobody
happened-commented = Note
happened-asked = The partner was asked
happened-appealed = The partner answered about { $order }
happened-proposed = Proposed: { $what }
happened-refused = The proposal was refused
happened-elsewhere = { $order } went its way elsewhere: { $to }
happened-changed = What was reported of { $order } changed
keys-title = Keys
keys-jk = next and previous case
keys-a = to approve or confirm
keys-r = to turn down or refuse
keys-l = to hold it no more
keys-n = note
keys-esc = leaves a field
keys-help = shows this
keys-what = A key leads to a form and sends nothing.
keys-off = Switch keys off
keys-on = Switch keys on

## Rings
rings-title = Rings of partners
rings-what = Partners who share more than strangers with common customers do.
rings-caption = Those found last first
rings-none = No rings
rings-none-what = Partners who share devices, addresses or mailboxes appear here when that is no chance. It is looked for every minute.
rings-show-open = Show rings of today
rings-show-dissolved = Show rings that are none any more
ring-title = Ring
ring-open = Open
ring-declared = One business
ring-apart = Dissolved
ring-members = Partners
ring-strongest = Shares most
ring-density = Pairs joined
ring-found = Found
ring-changed = Changed
ring-pending = Commissions pending
ring-held = Commissions held
ring-picture = Who is joined with whom
ring-legend = The wider a line, the less two partners would share as much by chance. Numbers are those of the table.
ring-table = The partners in the picture
ring-page = All about the ring
ring-pairs = What they share
ring-pairs-caption = By pair
ring-pair = Pair
ring-shared = Shared
ring-surprise = Surprise, in nats
ring-members-caption = With what each shares with the closest of the others
ring-number = No.
ring-closest = Shares
ring-weight = Weight in decisions
ring-cases = Open cases of theirs
ring-no-cases = None is open.
ring-declare = They are one business
ring-declare-what = The ring is dissolved, what they share joins them no more, and being in it is evidence no more. Open cases stay for people.
ring-why = Why, for the record
ring-done = They are one business from now on.
ring-history = How it has been
ring-revision = Revision

## Rules
rules-title = Rules of fraud
rules-what = Each flags; none turns anybody away. Choose one to change it, and see first what that would have done.
rules-version = Settings of version
rules-live = Decisions hold
rules-shadow = Decisions are only noted
rules-for = In force for
rules-program = The whole program
rules-caption = All rules, in the order of the manual
rules-history = Changes
rules-no-history = Nothing was changed: all is as the release has it.
rule = Rule
rule-family = Family
rule-weight = Weight
rule-numbers = Numbers
rule-code = Code
rule-on = On
rule-off = Off
rule-changed = changed
rule-speaks = The rule speaks
rule-change = Change it
rule-preview = Show what that would have done
rule-preview-title = What it would have done
rule-preview-caption = Conversions by reason
rule-foreseen = Over the last 30 days this change would have flagged { $flagged } more of { $looked } conversions, { $approved } of them later approved, and spared { $spared }, { $rejected } of them later turned down or taken back.
rule-more = More
rule-fewer = Fewer
rule-flagged = Conversions that it would have flagged
rule-spared = Conversions that it would have spared
rule-note = Why it is changed
rule-save = Save the change
rule-saved = It is saved, and in force everywhere within a second.
rule-stale = Version { $version } came in force meanwhile ({ $note }). Nothing was saved, and what you filled in is still here: look at it again.
rule-same = That is how it is already. Change something first.
rule-no-number = { $field }: “{ $text }” is no number.
rule-release = as released
rule-read-only = You can read this. Fraud analysts and administrators change rules.
rule-look-alike = Who looks the same and is honest:
lists-title = Lists
lists-none = No list has an entry.
lists-change = Change lists
list-add = Add to a list
list-remove = Take from the list
list-which = Choose a list.
list-over = { $day } is over. Choose today or a later day, or leave it empty for good.
list-gone = “{ $value }” is on the list no more.
list-value-hint = A network such as 203.0.113.0/24, a host such as forum.example, a keyed hash, or words, as the list needs it.
list-until = Until, for good when empty
list = List
list-value = What is listed
list-for-good = for good
unit-points = points
unit-seconds = seconds
unit-per-device = per device
unit-times = times

connections-title = Postbacks and API keys
postbacks-title = Postbacks
postbacks-what = Your own tracker is told what happens to your conversions: each thing at least once, and for three days where it does not answer.
postbacks-none = Nothing of yours is told yet. Enter the address that your tracker gives you for postbacks.
postback-title = Postback
postback-new = New postback
postback-url = Address
postback-url-hint = https, with macros in braces where your tracker wants values.
postback-macros = Macros
postback-macros-what = Values are percent-encoded; |raw behind a name writes them as they are, and |default:text says what stands where there is nothing.
postback-events = Told when a conversion
postback-all = all campaigns
postback-signed = Sign it, so that my tracker can be sure that it is you
postback-make = Save
postback-made = Saved. Try it now.
postback-removed = Removed. It is told nothing more.
postback-stopped = stopped
postback-stopped-what = It answered that it wants no more (410), and is told nothing since then. Remove it and enter it anew to go on.
postback-secret = Secret for signatures
postback-secret-what = HMAC-SHA256 by Standard Webhooks over the path and the sorted query, in wsig.
postback-test = Send a test
postback-test-what = A test sends made-up values, once.
postback-remove = Remove
postback-tried = Tried: what it answered is below.
told-created = is reported
told-approved = is approved
told-rejected = is rejected
told-reversed = is taken back
deliveries-title = What it was told
deliveries-what = In the last thirty days, newest first
deliveries-none = Nothing yet. Send a test, or wait for your next conversion.
delivery-at = When
delivery-what = What
delivery-state = How it went
delivery-attempts = Attempts
delivery-delivered = delivered
delivery-failed = given up
delivery-waiting = again { $at }
conversion = Conversion
keys-title = API keys
keys-what = A key shows and changes only what is yours.
keys-none = You have no keys.
key-new = New key
key-name = Name
key-days = Days until it ends
key-days-hint = 1 to 3,650; never when empty.
key-scopes = What it may do
key-make = Make the key
key-fresh = Copy the key now: it is shown this once.
key-used = Last used
key-ends = Ends
key-revoke = Revoke
key-revoked = Revoked. It is not accepted any more.
key-no-scope = What it may do: tick at least one.
key-bad-days = Days until it ends: 1 to 3,650, or nothing.
key-too-many = You have { $count } keys already; revoke one first.
